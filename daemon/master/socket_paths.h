// One path for two things: a Unix socket that two listen on, under one name or two
// ("/run/x/../a.sock", or by a directory that is a symbolic link), or a log or pid file at the path
// of another thing. What is written the same way in two pools is found when the configuration is
// read; this asks the file system.
#pragma once

#include "daemon/settings.h"

namespace pycgid {

// Throws StartupError when two of the sockets, logs and pid file have one path. Logs may share one.
void refuse_shared_paths(const Settings& settings);

}  // namespace pycgid
