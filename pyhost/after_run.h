// How long an application goes on when the front has its whole answer with the head (HEAD, 204,
// 304). What is finite gets to its end, where it may commit or release something; what has none
// does not keep its thread. A limit of bytes or blocks could not tell the two: a long answer has
// more of them in that time than an event stream in an hour.
#pragma once

#include <chrono>
#include <optional>

namespace pyhost {

class AfterRun {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AfterRun(std::chrono::seconds time) : time_(time) {}
  // It begins with the first call.
  bool is_over() {
    const auto now = Clock::now();
    if (!end_) end_ = now + time_;
    return now >= *end_;
  }
  void reset() { end_.reset(); }

 private:
  std::chrono::seconds time_;
  std::optional<Clock::time_point> end_;
};

}  // namespace pyhost
