// One Unix socket under two names: "/run/x/../a.sock", or by a directory that is a symbolic link.
// What is written the same way is found when the configuration is read; this asks the file system.
#pragma once

#include "daemon/settings.h"

namespace pycgid {

// Throws StartupError when two of the sockets of the pools and of pycgidctl have one path.
void refuse_shared_paths(const Settings& settings);

}  // namespace pycgid
