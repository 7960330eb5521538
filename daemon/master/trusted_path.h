// Files that the master creates with its own rights, perhaps as root, in directories that others
// may write to, such as those of a pool's user: a symbolic link of theirs would lead it elsewhere.
#pragma once

#include "pyhost/unique_fd.h"

#include <fcntl.h>
#include <string>

namespace pycgid {

// Where a file is or will be: a directory and a name in it.
struct FilePlace {
  pyhost::UniqueFd directory;
  std::string name;
  int no_follow = O_NOFOLLOW;  // 0: a descriptor in /proc, which only the kernel can follow
};

// Follows symbolic links of root and of this process's user only; the name itself is not followed
// any more. Without a directory, with errno set, when there is none: ELOOP for a link of others.
FilePlace find_place(const std::string& path);

}  // namespace pycgid
