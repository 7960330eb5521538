// A file that lines are appended to, see log_file.h.
#include "daemon/master/log_file.h"

#include "daemon/log.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
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

}  // namespace

pyhost::UniqueFd LogFile::open_path() const {
  constexpr mode_t kMode = 0640;
  return pyhost::UniqueFd(
      ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, kMode));
}

void LogFile::open() {
  fd_ = open_path();
  if (fd_) return;
  fail_start(ExitStatus::system, concat("cannot open log ", in_quotes(path_), ": ", reason(errno),
                                        " (option ", in_quotes(option_), ")"));
}

void LogFile::reopen() {
  trouble_told_ = false;
  if (pyhost::UniqueFd fresh = open_path()) {
    fd_ = std::move(fresh);
    return;
  }
  log_error(concat("cannot open log ", in_quotes(path_), ": ", reason(errno), " (option ",
                   in_quotes(option_), "), going on with the old file"));
}

bool LogFile::tend(std::uint64_t rotate_size) {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (!is_at(path_, info)) return replace_moved();
  return rotate_size > 0 && static_cast<std::uint64_t>(info.st_size) >= rotate_size && rotate();
}

bool LogFile::replace_moved() {
  pyhost::UniqueFd fresh = open_path();
  if (fresh) {
    fd_ = std::move(fresh);
    trouble_told_ = false;
    return true;
  }
  if (!std::exchange(trouble_told_, true)) {
    log_error(concat("log ", in_quotes(path_),
                     " was moved or removed, and cannot be opened anew: ", reason(errno),
                     " (option ", in_quotes(option_), "); its lines are lost until it can"));
  }
  return false;
}

// The newest old file is PATH.1.
bool LogFile::rotate() {
  for (int number = kKeptFiles - 1; number > 0; --number) {
    std::rename(numbered(number).c_str(), numbered(number + 1).c_str());
  }
  if (std::rename(path_.c_str(), numbered(1).c_str()) == 0) {
    reopen();
    return true;
  }
  if (!std::exchange(trouble_told_, true)) {
    log_error(concat("cannot rename log ", in_quotes(path_), ": ", reason(errno),
                     " (option \"rotate-size\"), going on with it"));
  }
  return false;
}

std::string LogFile::numbered(int number) const {
  return concat(path_, ".", number);
}

}  // namespace pycgid
