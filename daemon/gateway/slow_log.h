// Where the stacks of a pool's slow requests are written, line by line: the file of option
// "slow-log", or the error log. The gateway's thread only.
#pragma once

#include "daemon/gateway/line_file.h"
#include "daemon/log_format.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <cstddef>
#include <string>

namespace pycgid {

class SlowLog {
 public:
  // Lines go there from now on; empty: to the error log.
  void open(const PoolSettings& pool, pyhost::UniqueFd fd);

  // As log_record() does, cost and all. Lines that are lost are reported once.
  std::size_t add(const LogRecord& record);

 private:
  LineFile file_;
  std::string object_;  // as it is called in the error log
  LostLines lost_;
};

}  // namespace pycgid
