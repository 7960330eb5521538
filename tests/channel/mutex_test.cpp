// The mutex of request threads; ThreadSanitizer sees what it lets through.
#include "pyhost/mutex.h"

#include "tests/unit/catch.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using pyhost::Mutex;

}  // namespace

TEST_CASE("mutex: one thread at a time, and none is left asleep", "[mutex]") {
  constexpr int kThreads = 4;
  constexpr int kTurns = 20'000;
  Mutex mutex;
  int plain = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < kTurns; ++turn) {
        const std::lock_guard lock(mutex);
        ++plain;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(plain == kThreads * kTurns);
}

TEST_CASE("mutex: try_lock takes it only when nobody has it", "[mutex]") {
  Mutex mutex;
  REQUIRE(mutex.try_lock());
  CHECK_FALSE(mutex.try_lock());
  mutex.unlock();
  CHECK(mutex.try_lock());
  mutex.unlock();
}

TEST_CASE("mutex: each of several sleepers gets its turn after one unlock each", "[mutex]") {
  constexpr int kSleepers = 3;
  Mutex mutex;
  std::atomic<int> asking{0};
  int plain = 0;
  mutex.lock();
  std::vector<std::thread> threads;
  for (int i = 0; i < kSleepers; ++i) {
    threads.emplace_back([&] {
      ++asking;
      const std::lock_guard lock(mutex);
      ++plain;
    });
  }
  while (asking.load() < kSleepers) std::this_thread::yield();
  CHECK(plain == 0);
  mutex.unlock();
  for (std::thread& thread : threads) thread.join();
  CHECK(plain == kSleepers);
}
