// All deadlines of the gateway in one hashed wheel: setting, moving and cancelling cost a few
// instructions, expiry is exact to one tick. Intrusive, no allocation. One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace pycgid {

using Clock = std::chrono::steady_clock;

// Something with a deadline. Leaves its wheel when destroyed.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  bool armed() const { return previous_ != nullptr; }
  void cancel();

 protected:
  // Called by TimerWheel::advance, disarmed; may arm any timer again or destroy itself.
  virtual void on_timer() = 0;
  // Not public: nobody deletes through Timer*.
  virtual ~Timer() { cancel(); }

 private:
  friend class TimerWheel;
  Timer** previous_ = nullptr;  // the pointer that points here
  Timer* next_ = nullptr;
  Clock::time_point deadline_{};
};

class TimerWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{20};

  explicit TimerWheel(Clock::time_point now) : now_(now) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Arms or moves the timer. It fires in the first advance() at or after the deadline.
  void set(Timer& timer, Clock::time_point deadline);

  // Fires what is due. Timers armed from on_timer() for the past fire in the next call.
  void advance(Clock::time_point now);

  // When advance() needs to be called next; nothing when no timer is armed. May be early (a slot of
  // the wheel that holds only later rounds), never late.
  std::optional<Clock::time_point> next() const;

 private:
  static constexpr std::size_t kSlots = 1024;
  std::array<Timer*, kSlots> slots_{};
  Clock::time_point now_;
};

}  // namespace pycgid
