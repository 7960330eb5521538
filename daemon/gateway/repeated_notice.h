// A line of the log that others can cause as often as they like: the first occurrence is to be said
// at once, those of the time after it are counted and told together. The gateway's thread only.
#pragma once

#include "daemon/gateway/event_loop.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

namespace pycgid {

class RepeatedNotice final : public Timer {
 public:
  using Tell = std::function<void(std::uint64_t more)>;

  // The loop outlives it. `tell` is called at the end of a time with more than was said.
  RepeatedNotice(EventLoop& loop, std::chrono::seconds every, Tell tell)
      : loop_(loop), every_(every), tell_(std::move(tell)) {}
  ~RepeatedNotice() override = default;

  // For each occurrence. True: it is to be said now; false: it is counted.
  bool is_due();

 private:
  void on_timer() override;
  void wait() { loop_.timers().set(*this, loop_.now() + every_); }

  EventLoop& loop_;
  std::chrono::seconds every_;
  Tell tell_;
  std::uint64_t more_ = 0;  // since the last line
};

}  // namespace pycgid
