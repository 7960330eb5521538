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

inline constexpr int kAllSleepers = INT_MAX;
inline constexpr std::uint32_t kAnySeat = FUTEX_BITSET_MATCH_ANY;

// Sleeps while `word` is `seen`, until somebody wakes it, or one of `seats`, which are bits.
// `changed`: it was not `seen` any more.
inline FutexWait futex_wait(Word& word, std::uint32_t seen, std::uint32_t seats = kAnySeat) {
  if (::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, nullptr, nullptr, seats) == 0) {
    return FutexWait::woken;
  }
  return errno == EINTR ? FutexWait::interrupted : FutexWait::changed;
}

// Wakes up to `count` sleepers in one of `seats` and returns how many there were.
inline long futex_wake(Word& word, int count, std::uint32_t seats = kAnySeat) {
  const long woken = ::syscall(SYS_futex, &word, FUTEX_WAKE_BITSET, count, nullptr, nullptr, seats);
  return woken > 0 ? woken : 0;
}

}  // namespace pyhost
