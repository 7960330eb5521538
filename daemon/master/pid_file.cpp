// Option "pidfile", see pid_file.h.
#include "daemon/master/pid_file.h"

#include "daemon/log.h"
#include "daemon/option_values.h"
#include "daemon/read_file.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "pyhost/unique_fd.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr mode_t kMode = 0644;

[[noreturn]] void refuse(const std::string& path, std::string_view why, std::string_view option) {
  fail_start(ExitStatus::system,
             concat("cannot use pid file ", in_quotes(path), ": ", why, " ", option));
}

// Longer ones are no pid files. Empty as well when there is none, or it cannot be read.
constexpr std::size_t kLargest = 4096;

std::string content_of(const std::string& path) {
  std::string content = read_file(path, kLargest).text;
  while (content.ends_with('\n')) content.pop_back();
  return content;
}

// The pid in the file; 0 when there is no file, or an empty one. Anything else is not ours to
// replace.
pid_t read_pid(const std::string& path, std::string_view option) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return 0;
  if (!std::filesystem::is_regular_file(status)) refuse(path, "it is no regular file", option);
  const FileText file = read_file(path, kLargest);
  if (!file.is_read()) refuse(path, file.problem, option);
  const std::string content = content_of(path);
  if (content.empty()) return 0;
  const auto number = parse_number(content);
  if (!number || *number > std::uint64_t{std::numeric_limits<pid_t>::max()}) {
    refuse(path, "what stands there now is no pid file; remove it, or name another file", option);
  }
  return static_cast<pid_t>(*number);
}

// "4711 (pycgid: master) S 1 ..." is what /proc/PID/stat says.
bool is_zombie(const std::string& status) {
  const std::size_t bracket = status.rfind(')');
  return bracket != std::string::npos && status.substr(bracket + 1).starts_with(" Z");
}

// Numbers are used again: what runs under it now may be anything. A zombie has ended.
bool is_master(pid_t pid) {
  if (pid <= 0 || pid == ::getpid()) return false;
  const std::string status = content_of(concat("/proc/", pid, "/stat"));
  const bool is_ours = status.starts_with(concat(pid, " (pycgid) ")) ||
                       status.starts_with(concat(pid, " (pycgid: master) "));
  return is_ours && !is_zombie(status);
}

}  // namespace

PidFile::PidFile(const std::string& path, const OptionPlaces& places)
    : option_(places.text("pidfile")) {
  if (path.empty()) return;
  std::error_code error;
  path_ = std::filesystem::absolute(path, error).string();
  const pid_t pid = read_pid(path_, option_);
  if (is_master(pid)) {
    fail_start(ExitStatus::system,
               concat("is running already, pid ", pid, ": pid file ", in_quotes(path_),
                      " names it ", option_, "; stop it first, or name another file"));
  }
}

void PidFile::check(const std::string& path, const OptionPlaces& places) {
  if (path.empty()) return;
  std::error_code error;
  const std::filesystem::path file = std::filesystem::absolute(path, error);
  const std::string option = places.text("pidfile");
  static_cast<void>(read_pid(file.string(), option));
  const std::string directory = file.parent_path().string();
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return;
  refuse(path, reason(errno), option);
}

PidFile::~PidFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  if (published_ && content_of(path_) == std::to_string(::getpid())) ::unlink(path_.c_str());
}

std::string PidFile::write_temporary() {
  const std::string temporary = concat(path_, ".", ::getpid());
  ::unlink(temporary.c_str());
  const pyhost::UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!fd) return reason(errno);
  temporary_ = temporary;
  const std::string text = concat(::getpid(), "\n");
  struct stat status {};
  if (::fchmod(fd.get(), kMode) != 0 || ::fstat(fd.get(), &status) != 0 ||
      ::write(fd.get(), text.data(), text.size()) < 0) {
    return reason(errno);
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return {};
}

void PidFile::prepare() {
  if (path_.empty()) return;
  if (const std::string why = write_temporary(); !why.empty()) refuse(path_, why, option_);
}

void PidFile::publish() {
  if (temporary_.empty()) return;
  const std::string why = put_in_place();
  if (why.empty()) {
    published_ = true;
    return;
  }
  log_error(concat("cannot write pid file ", in_quotes(path_), ": ", why, " ", option_,
                   ", continuing without it"));
}

std::string PidFile::put_in_place() {
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return reason(errno);
  temporary_.clear();
  return {};
}

void PidFile::tend() {
  if (!published_) return;
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) {
    if (errno == ENOENT) write_again();
    return;
  }
  const bool is_same = status.st_dev == device_ && status.st_ino == inode_;
  if (is_same) return trouble_.clear();
  tell_once(concat("pid file ", in_quotes(path_), " was replaced, leaving what is there now alone ",
                   option_, "; remove it, and it is written again"));
}

void PidFile::write_again() {
  std::string why = write_temporary();
  if (why.empty()) why = put_in_place();
  if (!why.empty()) {
    return tell_once(concat("pid file ", in_quotes(path_), " was removed: ", why, " ", option_,
                            "; trying to write it again"));
  }
  trouble_.clear();
  log_notice(concat("pid file ", in_quotes(path_), " was removed, it is written again ", option_));
}

void PidFile::tell_once(std::string text) {
  if (text == trouble_) return;
  log_warning(text);
  trouble_ = std::move(text);
}

}  // namespace pycgid
