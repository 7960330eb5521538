// Looking at files as the workers of a pool will see them: below their root directory, and with
// their user's rights.
#pragma once

#include "daemon/master/privileges.h"
#include "daemon/settings.h"

#include <functional>
#include <string>

namespace pycgid {

// Runs `look` in the workers' place, which takes a process of its own unless they have the rights
// of this one. Gives what it returned; throws the StartupError that it threw.
std::string look_as_worker(const PoolSettings& pool, const Credentials& credentials,
                           const std::function<std::string()>& look);

}  // namespace pycgid
