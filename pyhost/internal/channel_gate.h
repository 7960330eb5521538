// Where idle request threads of a worker sleep, in shared memory. The gate lets one woken thread
// at a time be on its way; whoever is at the gate looks at the queue when it leaves.
//
// No wake-up is lost, because everything here is sequentially consistent, and because
// - a submitter stores the queue's tail, then looks at `sleepers` and at the gate, while
// - a thread counts itself as a sleeper, leaves the gate, reads `word`, and only then looks at the
//   queue: one of the two sees the other; and `word` has changed for a futex_wait that comes late;
// - a taken gate always has an owner who leaves it later and looks at the queue after that: the
//   caller until futex_wake has found somebody, then the thread that was woken.
// Two owners at once, where a thread finds work just as another is woken, leave twice: the gate is
// then open too early, which costs a wake-up too many and never one too few.
#pragma once

#include "pyhost/internal/channel_futex.h"

namespace pyhost {

class Gate {
 public:
  // Sends one sleeper on its way unless somebody is. False: none slept any more and the gate is
  // free again, so a caller other than the submitter has to look at the queue once more. (While
  // the submitter is in here the queue does not grow, and whoever fell asleep after its futex_wake
  // has seen all of it.)
  bool call_one() {
    if ((word_.load() & kTaken) != 0 || (word_.fetch_or(kTaken) & kTaken) != 0) return true;
    word_.fetch_add(kOneCall);
    if (wake_one()) return true;
    leave();
    return false;
  }

  // For stop and hang-up: every sleeper returns, and so does who is about to sleep.
  void call_all() {
    word_.fetch_add(kOneCall);
    futex_wake(word_, kAllSleepers);
  }

  void arrive() { word_.fetch_or(kTaken); }
  void leave() { word_.fetch_and(~kTaken); }

  std::uint32_t sleepers() const { return sleepers_.load(); }
  bool anyone_sleeps() const { return sleepers() != 0; }
  // `seat` is the thread's bit; threads may share one.
  void begin_sleep(std::uint32_t seat) {
    sleepers_.fetch_add(1);
    seats_.fetch_or(seat, std::memory_order_relaxed);
  }
  void end_sleep(std::uint32_t seat) {
    seats_.fetch_and(~seat, std::memory_order_relaxed);
    sleepers_.fetch_sub(1);
  }

  // What futex_sleep compares with; to be read before the last look at the queue.
  std::uint32_t calls() const { return word_.load(); }
  FutexWait futex_sleep(std::uint32_t seen_calls, std::uint32_t seat) {
    return futex_wait(word_, seen_calls, seat);
  }

 private:
  // The kernel would wake who has slept longest. The lowest seat is a thread that ran a moment ago,
  // with warm caches on a CPU that has not gone to sleep. The seats are a hint only.
  bool wake_one() {
    const std::uint32_t seats = seats_.load(std::memory_order_relaxed);
    const std::uint32_t lowest = seats & (~seats + 1);
    return (lowest != 0 && futex_wake(word_, 1, lowest) > 0) || futex_wake(word_, 1) > 0;
  }

  static constexpr std::uint32_t kTaken = 1;
  static constexpr std::uint32_t kOneCall = 2;

  Word word_;      // bit 0: somebody is at the gate; above it: the number of calls
  Word sleepers_;  // written by the worker alone, like `seats_`
  Word seats_;
};

}  // namespace pyhost
