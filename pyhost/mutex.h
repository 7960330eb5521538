// A mutex for the threads of one process. std::mutex calls into glibc even where nobody else wants
// it, and a request takes one several times; this one is two atomic instructions there.
#pragma once

#include "pyhost/internal/channel_futex.h"

namespace pyhost {

class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  bool try_lock() {
    std::uint32_t state = kFree;
    return state_.compare_exchange_strong(state, kHeld, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }
  // Who has slept takes it as `kWanted`: others may be asleep still, and its unlock() wakes one.
  void lock() {
    if (try_lock()) return;
    while (state_.exchange(kWanted, std::memory_order_acquire) != kFree) {
      futex_wait(state_, kWanted);
    }
  }
  // After the exchange another thread may destroy the mutex: a wake that comes late does no harm.
  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) == kWanted) futex_wake(state_, 1);
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kWanted = 2;

  Word state_{kFree};
};

}  // namespace pyhost
