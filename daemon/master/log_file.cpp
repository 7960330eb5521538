// A file that lines are appended to, see log_file.h.
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
      ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, kMode));
}

void LogFile::open() {
  fd_ = open_path();
  if (fd_) return;
  fail_start(ExitStatus::system, concat("cannot open log ", in_quotes(path_), ": ", reason(errno),
                                        " (option ", in_quotes(option_), ")"));
}

void LogFile::reopen() {
  if (pyhost::UniqueFd fresh = open_path()) {
    fd_ = std::move(fresh);
    return;
  }
  log_error(concat("cannot open log ", in_quotes(path_), ": ", reason(errno), " (option ",
                   in_quotes(option_), "), going on with the old file"));
}

}  // namespace pycgid
