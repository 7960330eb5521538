// A line of the log that others can cause as often as they like: the first occurrence is to be said
// at once, those of the time after it are counted and told together, at the end of that time or of
// the notice. The gateway's thread only.
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

  // The loop outlives it, and so does what `tell` needs. That is called when there was more.
  RepeatedNotice(EventLoop& loop, std::chrono::seconds every, Tell tell)
      : loop_(loop), every_(every), tell_(std::move(tell)) {}
  ~RepeatedNotice() override;

  // For each occurrence. True: it is to be said now; false: it is counted.
  bool is_due();
  // One that is not to be said by itself.
  void count();

 private:
  void on_timer() override;
  void wait() { loop_.timers().set(*this, loop_.now() + every_); }

  EventLoop& loop_;
  std::chrono::seconds every_;
  Tell tell_;
  std::uint64_t more_ = 0;  // since the last line
};

}  // namespace pycgid
