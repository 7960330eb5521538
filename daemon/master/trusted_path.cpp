// Paths through directories of others, see trusted_path.h.
#include "daemon/master/trusted_path.h"

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr int kMostLinks = 40;

pyhost::UniqueFd open_directory(int at, const char* name) {
  return pyhost::UniqueFd(::openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool is_in_proc(int directory) {
  struct statfs system {};
  return ::fstatfs(directory, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

// The target of a link that may be followed; empty, with errno set: it may not, or is no link.
std::string trusted_target(int directory, const std::string& name) {
  const pyhost::UniqueFd link(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!link || ::fstat(link.get(), &status) != 0) return {};
  if (!S_ISLNK(status.st_mode)) {
    errno = 0;
    return {};
  }
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    errno = ELOOP;
    return {};
  }
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size());
  return {target.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
}

// The first name of `path`, which loses it and the slashes behind it.
std::string take_name(std::string& path) {
  const std::string name = path.substr(0, path.find('/'));
  path.erase(0, name.size());
  path.erase(0, path.find_first_not_of('/'));
  return name;
}

}  // namespace

FilePlace find_place(const std::string& path) {
  std::string left = path;
  pyhost::UniqueFd here = open_directory(AT_FDCWD, path.starts_with('/') ? "/" : ".");
  for (int links = 0; here && links <= kMostLinks;) {
    left.erase(0, left.find_first_not_of('/'));
    const std::string name = take_name(left);
    if (left.empty() && is_in_proc(here.get())) return {std::move(here), name, 0};
    const std::string target = trusted_target(here.get(), name);
    if (target.empty() && left.empty() && (errno == 0 || errno == ENOENT)) {
      return {std::move(here), name};
    }
    if (target.empty() && errno == ELOOP) return {};
    if (target.empty()) {
      here = open_directory(here.get(), name.c_str());
      continue;
    }
    ++links;
    if (target.starts_with('/')) here = open_directory(AT_FDCWD, "/");
    left = left.empty() ? target : target + "/" + left;
  }
  if (here) errno = ELOOP;
  return {};
}

}  // namespace pycgid
