// Option -t: whether the daemon would start, found out without disturbing a running one.
#pragma once

#include "daemon/settings.h"

namespace pycgid {

// Checks users, directories and interpreters, and loads each application in a worker of its own.
// Prints that all is well. Throws StartupError otherwise.
void check_settings(const Settings& settings);

}  // namespace pycgid
