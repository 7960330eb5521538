// The one place where exceptions of the running master end. Whatever one task throws (no memory, no
// descriptor, a fault of ours) is logged, and the daemon goes on with the next: it serves requests
// that have nothing to do with it. On the master's one thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace pycgid {

class TaskGuard {
 public:
  // Runs the task; false when it threw. The log line: "cannot WHAT: OBJECT: REASON".
  template <typename Task>
  bool run(std::string_view what, Task&& task, std::string_view object = {}) {
    try {
      task();
      return true;
    } catch (...) {
      report(what, object);
      return false;
    }
  }

  // How long to pause before the next turn, once after each failure: what fails again and again
  // must not keep a CPU busy.
  std::chrono::milliseconds take_pause();

 private:
  void report(std::string_view what, std::string_view object) noexcept;

  std::string said_;  // not logged again before something else is, or for some time
  std::chrono::steady_clock::time_point said_at_{};
  bool failed_ = false;
};

}  // namespace pycgid
