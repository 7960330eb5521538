// Where boot.py and the modules for the application's Python are.
#pragma once

#include <string>
#include <vector>

namespace pycgid {

// Beside the program in a build tree, below the prefix it is installed in, or where it was built
// to be installed. Throws StartupError when boot.py is in none of these.
std::string find_libexec_dir();

// The Pythons that a module is there for: "cpython-311-x86_64-linux-gnu".
std::vector<std::string> built_pythons(const std::string& libexec_dir);

// What --version prints.
std::string version_text();

}  // namespace pycgid
