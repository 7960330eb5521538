// The futex system call, shared between processes. Waking nobody and waiting on a changed word are
// harmless, so callers only have to get the order of their loads and stores right.
#pragma once

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pyhost {

using Word = std::atomic<std::uint32_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == sizeof(std::uint32_t));

enum class FutexWait { woken, changed, interrupted };

// Sleeps while `word` is `seen`, until somebody wakes it. `changed`: it was not `seen` any more.
inline FutexWait futex_wait(Word& word, std::uint32_t seen) {
  if (::syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0) == 0) {
    return FutexWait::woken;
  }
  return errno == EINTR ? FutexWait::interrupted : FutexWait::changed;
}

// Wakes up to `count` sleepers and returns how many there were.
inline long futex_wake(Word& word, int count) {
  const long woken = ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
  return woken > 0 ? woken : 0;
}

inline constexpr int kAllSleepers = INT_MAX;

}  // namespace pyhost
