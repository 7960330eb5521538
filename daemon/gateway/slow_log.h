// Where the stacks of a pool's slow requests are written, line by line: the file of option
// "slow-log", or the error log. The gateway's thread only.
#pragma once

#include "daemon/log_format.h"
#include "pyhost/unique_fd.h"

#include <cstddef>

namespace pycgid {

class SlowLog {
 public:
  // Lines go there from now on.
  void open(pyhost::UniqueFd fd);

  // As log_record() does, cost and all.
  std::size_t add(const LogRecord& record) const;

 private:
  pyhost::UniqueFd fd_;  // empty: the error log
};

}  // namespace pycgid
