#include "daemon/gateway/slow_log.h"

#include "daemon/log.h"

#include <string>
#include <unistd.h>
#include <utility>

namespace pycgid {

void SlowLog::open(pyhost::UniqueFd fd) {
  fd_ = std::move(fd);
}

std::size_t SlowLog::add(const LogRecord& record) const {
  if (!fd_) return log_record(record);
  const std::string line = format_entry(record);
  // A line that cannot be written is dropped, as in the error log.
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), line.data(), line.size());
  return line.size();
}

}  // namespace pycgid
