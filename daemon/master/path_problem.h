// Why a path cannot be used, told by the directory that is to blame and the right that is missing.
#pragma once

#include "daemon/startup_error.h"

#include <optional>
#include <string>
#include <sys/stat.h>

namespace pycgid {

struct PathProblem {
  int error = 0;     // ENOENT, EACCES, ENOTDIR, ELOOP
  std::string text;  // `user "blog" may not search directory "/root" (mode 0700, owner "root")`
};

// Whether this process may use the absolute `path` as `mode`, which is that of access(2), says.
// Follows symbolic links as the kernel does. Empty: it may.
std::optional<PathProblem> problem_with(const std::string& path, int mode);

// Of a start that fails with errno `error`: what names or rights are wrong stays so until somebody
// changes something; what the system lacks at the moment may be there later. Async-signal-safe.
ExitStatus status_of(int error);

// " (mode 0700, owner "root")"
std::string rights_text(const struct stat& file);

}  // namespace pycgid
