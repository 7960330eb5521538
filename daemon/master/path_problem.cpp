// Why a path cannot be used, see path_problem.h.
#include "daemon/master/path_problem.h"

#include "daemon/master/privileges.h"
#include "daemon/text.h"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr int kMostLinks = 40;  // as in the kernel

bool may(const std::string& path, int mode) {
  return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
}

// `what` is "search", "read" and so on.
PathProblem refused(std::string_view what, const std::string& path) {
  struct stat file {};
  const bool known = ::stat(path.c_str(), &file) == 0;
  const bool directory = known && S_ISDIR(file.st_mode);
  return {EACCES,
          concat("user ", in_quotes(user_name(geteuid())), " may not ", what,
                 directory ? " directory " : " ", in_quotes(path), known ? rights_text(file) : "")};
}

std::string target_of(const std::string& link) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  return {target.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
}

// Goes along the path, name by name.
class Walk {
 public:
  explicit Walk(std::string path) : left_(std::move(path)) {}

  std::optional<PathProblem> go() {
    while (true) {
      left_.erase(0, left_.find_first_not_of('/'));
      if (left_.empty()) return std::nullopt;
      const std::string name = left_.substr(0, left_.find('/'));
      left_.erase(0, name.size());
      if (std::optional<PathProblem> problem = step(name)) return problem;
    }
  }
  // Where it has come to, without links.
  const std::string& place() const { return here_; }

 private:
  std::optional<PathProblem> step(const std::string& name) {
    const std::string next = concat(here_, "/", name);
    struct stat file {};
    if (::lstat(next.c_str(), &file) != 0) return cannot_look_at(next, errno);
    if (S_ISLNK(file.st_mode)) return follow(next);
    here_ = next;
    const bool directory_wanted = left_.find_first_not_of('/') != std::string::npos;
    if (directory_wanted && !S_ISDIR(file.st_mode)) {
      return PathProblem{ENOTDIR, concat(in_quotes(next), " is not a directory")};
    }
    return std::nullopt;
  }

  std::optional<PathProblem> follow(const std::string& link) {
    if (++links_ > kMostLinks) return PathProblem{ELOOP, reason(ELOOP)};
    const std::string target = target_of(link);
    if (target.starts_with('/')) here_.clear();
    link_ = link;
    left_.insert(0, target);
    return std::nullopt;
  }

  PathProblem cannot_look_at(const std::string& path, int error) const {
    if (error == EACCES) return refused("search", here_.empty() ? "/" : here_);
    if (error != ENOENT)
      return {error, concat("cannot look at ", in_quotes(path), ": ", reason(error))};
    if (link_.empty()) return {error, concat("there is no ", in_quotes(path))};
    return {error, concat("symbolic link ", in_quotes(link_), " leads to ", in_quotes(path),
                          ", which is not there")};
  }

  std::string left_;
  std::string here_;
  std::string link_;  // the last one that was followed
  int links_ = 0;
};

}  // namespace

ExitStatus status_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOEXEC:
    case ELIBBAD:
    case E2BIG:
    case EINVAL:
      return ExitStatus::configuration;
    default:
      return ExitStatus::temporary;
  }
}

std::string rights_text(const struct stat& file) {
  std::array<char, 8> mode;
  std::snprintf(mode.data(), mode.size(), "%04o", file.st_mode & 07777U);
  return concat(" (mode ", mode.data(), ", owner ", in_quotes(user_name(file.st_uid)), ")");
}

std::optional<PathProblem> problem_with(const std::string& path, int mode) {
  Walk walk(path);
  if (std::optional<PathProblem> problem = walk.go()) return problem;
  const std::string place = walk.place().empty() ? "/" : walk.place();
  if ((mode & R_OK) != 0 && !may(place, R_OK)) return refused("read", place);
  if ((mode & W_OK) != 0 && !may(place, W_OK)) return refused("write to", place);
  if ((mode & X_OK) == 0 || may(place, X_OK)) return std::nullopt;
  struct stat file {};
  const bool directory = ::stat(place.c_str(), &file) == 0 && S_ISDIR(file.st_mode);
  return refused(directory ? "search" : "execute", place);
}

}  // namespace pycgid
