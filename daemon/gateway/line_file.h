// A log beside the error log, as the gateway writes it: whole lines, and a report when some of them
// are lost. What cannot be written never stops the service. The gateway's thread only.
#pragma once

#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string_view>

namespace pycgid {

class LineFile {
 public:
  // Lines go there from now on.
  void open(pyhost::UniqueFd fd);
  bool is_open() const { return static_cast<bool>(fd_); }

  // Returns what could not be written, and errno tells why.
  std::string_view write(std::string_view lines);

 private:
  pyhost::UniqueFd fd_;
  bool is_file_ = false;
  bool torn_ = false;  // the last line was written in part
};

// Tells once that lines are lost, and how many when it is over. `log` is "the access log
// "PATH" of pool "blog"", `option` names it.
class LostLines {
 public:
  void note_failure(int error, std::string_view unwritten, std::string_view log,
                    std::string_view option);
  void note_success(std::string_view log);
  bool any() const { return failing_; }

 private:
  bool failing_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace pycgid
