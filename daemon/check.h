// Option -t: whether the daemon would start, found out without disturbing a running one.
#pragma once

#include "daemon/settings.h"

#include <string_view>

namespace pycgid {

// Checks users, directories and interpreters, and loads each application in a worker of its own.
// Prints that all is well, each line behind `mark`. Says what is wrong with each pool, the last one
// by throwing StartupError.
void check_settings(const Settings& settings, std::string_view mark);

}  // namespace pycgid
