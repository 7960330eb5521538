// Looking at files as the workers of a pool will see them: below their root directory, and with
// their user's rights.
#pragma once

#include "daemon/master/privileges.h"
#include "daemon/settings.h"

#include <functional>
#include <string>

namespace pycgid {

// What the master lets others look at, as it must not wait for a file system: such a look takes
// milliseconds where all is well.
inline constexpr Milliseconds kLookPatience{10'000};

// Runs `look` in the workers' place, in a process of its own, which a user of the pool can stop and
// a dead file server can hold. Gives what it returned; throws the StartupError that it threw, and
// one when it takes longer than `patience`.
std::string look_as_worker(const PoolSettings& pool, const Credentials& credentials,
                           const std::function<std::string()>& look,
                           Milliseconds patience = kLookPatience);

// Likewise, with the master's rights.
std::string look_aside(const PoolSettings& pool, const std::function<std::string()>& look,
                       Milliseconds patience = kLookPatience);

}  // namespace pycgid
