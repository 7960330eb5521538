// Where the log goes, see log_file.h.
#include "daemon/master/log_file.h"

#include "daemon/log.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <cerrno>
#include <fcntl.h>

namespace pycgid {

pyhost::UniqueFd LogFile::open_path() const {
  constexpr mode_t kMode = 0640;
  return pyhost::UniqueFd(
      ::open(where_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, kMode));
}

void LogFile::open() {
  if (is_stderr()) return;
  fd_ = open_path();
  if (!fd_) {
    fail_start(ExitStatus::system, concat("cannot open log ", in_quotes(where_), ": ",
                                          reason(errno), " (option \"log\")"));
  }
  set_log_fd(fd_.get());
}

bool LogFile::reopen() {
  if (is_stderr()) return false;
  pyhost::UniqueFd fresh = open_path();
  if (!fresh) {
    log_error(concat("cannot open log ", in_quotes(where_), ": ", reason(errno),
                     " (option \"log\"), going on with the old file"));
    return false;
  }
  fd_ = std::move(fresh);
  set_log_fd(fd_.get());
  return true;
}

}  // namespace pycgid
