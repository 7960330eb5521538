// Where the stacks of a pool's slow requests are written, line by line: the file of option
// "slow-log", or the error log. The gateway's thread only.
#pragma once

#include "pyhost/unique_fd.h"

#include <string_view>

namespace pycgid {

class SlowLog {
 public:
  // Lines go there from now on.
  void open(pyhost::UniqueFd fd);

  // As log_line() does, at level warning.
  void add(std::string_view object, std::string_view text) const;

 private:
  pyhost::UniqueFd fd_;  // empty: the error log
};

}  // namespace pycgid
