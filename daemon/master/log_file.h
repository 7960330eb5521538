// Where the log goes: option "log".
#pragma once

#include "pyhost/unique_fd.h"

#include <string>

namespace pycgid {

class LogFile {
 public:
  // "stderr" or a path.
  explicit LogFile(std::string where) : where_(std::move(where)) {}

  // Opens it and directs the log there. Throws StartupError.
  void open();

  // Opens the path anew, as log rotation asks; keeps the old file, and says so, when that fails.
  // False when there is nothing new to write to.
  bool reopen();

 private:
  bool is_stderr() const { return where_ == "stderr"; }
  pyhost::UniqueFd open_path() const;

  std::string where_;
  pyhost::UniqueFd fd_;
};

}  // namespace pycgid
