// pycgidctl's end of the control socket (daemon/control_protocol.h). Blocks, within deadlines.
#pragma once

#include "pyhost/unique_fd.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace pycgid::ctl {

// The daemon cannot be reached, or does not answer: EX_UNAVAILABLE.
struct Unreachable {
  std::string text;
};

struct Answer {
  bool ok = false;
  std::string text;
};

class Client {
 public:
  // Connects; throws Unreachable.
  explicit Client(std::string path);

  // Sends the request and waits for its answer, forever without patience. Throws Unreachable.
  Answer ask(std::string_view request, std::optional<std::chrono::milliseconds> patience);
  // Waits until the daemon has ended.
  void wait_end();

 private:
  std::string receive(std::optional<std::chrono::steady_clock::time_point> due);
  [[noreturn]] void fail(std::string_view why) const;

  std::string path_;
  pyhost::UniqueFd socket_;
};

}  // namespace pycgid::ctl
