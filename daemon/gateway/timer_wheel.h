// All deadlines of the gateway in one hashed wheel: setting, moving and cancelling cost a few
// instructions, expiry is exact to one tick. Intrusive, no allocation. One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace pycgid {

using Clock = std::chrono::steady_clock;

class TimerWheel;

// Something with a deadline. Leaves its wheel when destroyed.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  bool armed() const { return previous_ != nullptr; }
  void cancel();

 protected:
  // Called by TimerWheel::advance, disarmed; may arm or cancel any timer, itself too, and destroy
  // any, itself too. Must not call advance().
  virtual void on_timer() = 0;
  // Not public: nobody deletes through Timer*.
  virtual ~Timer() { cancel(); }

 private:
  friend class TimerWheel;
  void link(Timer*& list);
  void unlink();

  TimerWheel* wheel_ = nullptr;
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
  // Disarms what is armed still.
  ~TimerWheel();

  // Arms or moves the timer. It fires in the first advance() at or after the deadline.
  void set(Timer& timer, Clock::time_point deadline);

  // Fires what is due. Timers armed from on_timer() for the past fire in the next call. Costs next
  // to nothing before next().
  void advance(Clock::time_point now);

  // When advance() needs to be called next; nothing when no timer is armed. May be early (the timer
  // that was the first one has been moved or cancelled), never late.
  std::optional<Clock::time_point> next() const;

 private:
  friend class Timer;
  static constexpr std::size_t kSlots = 1024;
  using Ticks = std::int64_t;

  static Ticks tick_of(Clock::time_point time) { return time.time_since_epoch() / kTick; }
  Timer*& slot(Ticks tick) { return slots_[static_cast<std::size_t>(tick) % kSlots]; }
  const Timer* slot(Ticks tick) const { return slots_[static_cast<std::size_t>(tick) % kSlots]; }
  void collect_due(Clock::time_point now);
  Clock::time_point earliest() const;

  std::array<Timer*, kSlots> slots_{};
  Timer* due_ = nullptr;  // taken out of their slots by advance(), about to fire
  std::size_t armed_ = 0;
  Clock::time_point now_;
  Clock::time_point next_ = Clock::time_point::max();  // no deadline is before this
};

}  // namespace pycgid
