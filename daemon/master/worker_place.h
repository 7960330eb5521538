// The workers' place, for a process that looks at files as they will: below their root directory,
// with their user's rights.
#pragma once

#include "daemon/master/look.h"
#include "daemon/master/privileges.h"
#include "daemon/settings.h"

namespace pycgid {

// In the process of a look. Throws StartupError.
void enter_worker_place(const PoolSettings& pool, const Credentials& credentials,
                        const LookReporter& reporter);

}  // namespace pycgid
