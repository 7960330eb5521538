// How long to wait before a dead process is replaced: not at all at first, longer and longer when
// it dies young again and again. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace pycgid {

class Backoff {
 public:
  // A process died after `lived`; how long to wait before the next is started: 0, 100 ms, 200 ms
  // and so on, doubling up to 10 s.
  std::chrono::milliseconds after_death(std::chrono::milliseconds lived) {
    if (lived >= kLongLife) next_ = {};
    const std::chrono::milliseconds delay = next_;
    next_ = std::clamp(next_ * 2, kFirst, kMost);
    return delay;
  }

 private:
  static constexpr std::chrono::milliseconds kLongLife{30'000};
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kMost{10'000};
  std::chrono::milliseconds next_{0};
};

}  // namespace pycgid
