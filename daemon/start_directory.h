// The directory that the daemon was started in, by the name that it had then: a release is
// deployed by pointing a symbolic link elsewhere, and whoever is started anew has to come there.
#pragma once

#include <string>

namespace pycgid {

// $PWD, as a shell sets it, if that is the current directory; its path without links otherwise.
// Empty if it has none.
std::string start_directory();

// `path`, if it is relative, as seen from `directory`.
std::string absolute_path(const std::string& directory, const std::string& path);

}  // namespace pycgid
