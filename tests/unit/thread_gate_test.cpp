// Who ends a worker: its main thread, or the one that sees to its end.
#include "pyhost/thread_gate.h"

#include "tests/unit/catch.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

using pyhost::ThreadGate;

namespace {

constexpr std::chrono::seconds kPatience{30};

}  // namespace

TEST_CASE("thread gate: a main thread that waits is told whether all have ended", "[pyhost]") {
  for (const unsigned left : {0U, 1U}) {
    ThreadGate gate;
    gate.open();
    auto main = std::async(std::launch::async, [&] { return gate.wait_left(2); });
    gate.leave();
    if (left == 0) gate.leave();
    // Until the main thread is seen to wait.
    while (!gate.all_leave_within(std::chrono::milliseconds(0), 2 - left)) {
      std::this_thread::yield();
    }
    CHECK(!gate.take_over());
    REQUIRE(main.wait_for(kPatience) == std::future_status::ready);
    CHECK(main.get() == (left == 0));
  }
}

// What it would go on with is another thread's by then.
TEST_CASE("thread gate: a main thread that is taken over does not come back", "[pyhost]") {
  ThreadGate gate;
  gate.open();
  gate.leave();
  CHECK(gate.take_over());
  std::atomic<bool> given_back{false};
  auto main = std::async(std::launch::async, [&] {
    const bool all = gate.wait_left(1);
    return all && given_back.load();
  });
  REQUIRE(gate.all_leave_within(kPatience, 1));
  given_back.store(true);
  gate.give_back();
  REQUIRE(main.wait_for(kPatience) == std::future_status::ready);
  CHECK(main.get());
}
