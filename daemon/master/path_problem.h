// Why a path cannot be used, told by the directory that is to blame and the right that is missing.
#pragma once

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

// " (mode 0700, owner "root")"
std::string rights_text(const struct stat& file);

}  // namespace pycgid
