#include "daemon/gateway/slow_log.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <cerrno>
#include <string_view>
#include <utility>

namespace pycgid {

void SlowLog::open(const PoolSettings& pool, pyhost::UniqueFd fd) {
  object_ = concat("the slow log ", in_quotes(pool.slow_log), " of pool ", in_quotes(pool.name));
  file_.open(std::move(fd));
}

std::size_t SlowLog::add(const LogRecord& record) {
  if (!file_.is_open()) return log_record(record);
  const std::string lines = format_entry(record);
  const std::string_view unwritten = file_.write(lines);
  if (unwritten.empty()) {
    lost_.note_success(object_);
  } else {
    lost_.note_failure(errno, unwritten, object_, "slow-log");
  }
  return lines.size();
}

}  // namespace pycgid
