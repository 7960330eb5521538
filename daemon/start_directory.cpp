#include "daemon/start_directory.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>

namespace pycgid {

namespace fs = std::filesystem;

std::string start_directory() {
  struct stat named {};
  struct stat current {};
  const char* name = std::getenv("PWD");
  if (name != nullptr && *name == '/' && ::stat(name, &named) == 0 && ::stat(".", &current) == 0 &&
      named.st_dev == current.st_dev && named.st_ino == current.st_ino) {
    return name;
  }
  std::error_code error;
  return fs::current_path(error).string();
}

std::string absolute_path(const std::string& directory, const std::string& path) {
  if (path.empty()) return directory;
  const fs::path whole = fs::path(directory) / path;
  // Behind a symbolic link, ".." leads elsewhere than the text says.
  const bool is_plain = std::ranges::find(whole, fs::path("..")) == whole.end();
  std::string text = is_plain ? whole.lexically_normal().string() : whole.string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace pycgid
