// A file that lines are appended to, see log_file.h.
#include "daemon/master/log_file.h"

#include "daemon/log.h"
#include "daemon/master/trusted_path.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr int kKeptFiles = 5;

// The path still leads to this file.
bool is_at(const std::string& path, const struct stat& file) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return false;
  return found.st_dev == file.st_dev && found.st_ino == file.st_ino;
}

// What /dev/stderr leads to, a pipe without a name or a terminal, cannot be moved away.
bool has_path(int fd, const struct stat& file) {
  struct statfs system {};
  const bool is_named = ::fstatfs(fd, &system) != 0 || system.f_type != PIPEFS_MAGIC;
  return !S_ISSOCK(file.st_mode) && is_named && ::isatty(fd) == 0;
}

std::string why(int error) {
  if (error != ELOOP) return reason(error);
  return "a symbolic link on the way belongs to neither root nor the daemon's user";
}

}  // namespace

pyhost::UniqueFd LogFile::open_path() const {
  constexpr mode_t kMode = 0640;
  const FilePlace place = find_place(path_);
  if (!place.directory) return {};
  // Who may write to the directory may put a pipe there: opening it must not wait for a reader.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  pyhost::UniqueFd fd(
      ::openat(place.directory.get(), place.name.c_str(), kFlags | place.no_follow, kMode));
  struct stat info {};
  const bool is_pipe = fd && ::fstat(fd.get(), &info) == 0 && S_ISFIFO(info.st_mode);
  if (fd && (!is_pipe || place.no_follow == 0)) {
    ::fcntl(fd.get(), F_SETFL, O_APPEND);
  }
  return fd;
}

void LogFile::open() {
  fd_ = open_path();
  if (!fd_) cannot_open(errno);
}

void LogFile::cannot_open(int error) const {
  fail_start(ExitStatus::system,
             concat("cannot open log ", in_quotes(path_), ": ", why(error), " ", option_));
}

void LogFile::check() const {
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  const FilePlace place = find_place(path_);
  if (!place.directory) cannot_open(errno);
  const int directory = place.directory.get();
  const pyhost::UniqueFd fd(::openat(directory, place.name.c_str(), kFlags | place.no_follow));
  if (fd) return;
  if (errno != ENOENT) cannot_open(errno);
  // It would be made.
  if (::faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) != 0) cannot_open(errno);
}

std::string LogFile::reopen() {
  trouble_told_ = false;
  if (pyhost::UniqueFd fresh = open_path()) {
    fd_ = std::move(fresh);
    return {};
  }
  std::string wrong = concat("cannot open log ", in_quotes(path_), ": ", why(errno), " ", option_,
                             "; going on with the old file");
  log_error_about_file(fd_.get(), wrong);
  return wrong;
}

bool LogFile::tend(std::uint64_t rotate_size, std::string_view rotate_option) {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0 || !has_path(fd_.get(), info)) return false;
  if (!is_at(path_, info)) return replace_moved();
  return rotate_size > 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) >= rotate_size && rotate(rotate_option);
}

bool LogFile::replace_moved() {
  pyhost::UniqueFd fresh = open_path();
  if (fresh) {
    fd_ = std::move(fresh);
    trouble_told_ = false;
    return true;
  }
  if (!std::exchange(trouble_told_, true)) {
    const std::string text = concat(
        "log ", in_quotes(path_), " was moved or removed, and cannot be opened anew: ", why(errno),
        " ", option_, "; its lines are lost until it can");
    log_error_about_file(fd_.get(), text);
  }
  return false;
}

// The newest old file is PATH.1.
bool LogFile::rotate(std::string_view option) {
  const FilePlace place = find_place(path_);
  const auto rename = [&place](const std::string& from, const std::string& to) {
    const int directory = place.directory.get();
    return ::renameat(directory, from.c_str(), directory, to.c_str()) == 0;
  };
  const auto numbered = [&place](int number) { return concat(place.name, ".", number); };
  for (int number = kKeptFiles - 1; number > 0; --number) {
    rename(numbered(number), numbered(number + 1));
  }
  if (rename(place.name, numbered(1))) {
    reopen();
    return true;
  }
  const int error = errno;
  if (!std::exchange(trouble_told_, true)) {
    log_error(concat("cannot rename log ", in_quotes(path_), " to ", in_quotes(numbered(1)), ": ",
                     reason(error), " ", option, "; going on with the full one"));
  }
  return false;
}

}  // namespace pycgid
