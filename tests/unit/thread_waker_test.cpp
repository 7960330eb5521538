// Which threads of a worker are woken, and when: with threads that really sleep.
#include "daemon/gateway/thread_waker.h"

#include "tests/unit/channel_pair.h"

#include <chrono>
#include <future>
#include <thread>

using namespace std::chrono_literals;

namespace {

// A worker of two threads: one runs, and is played by the test (ends.intake), the other sleeps.
struct Stage {
  Stage() { fall_asleep(); }
  ~Stage() {
    ends.gateway->stop();
    sleeper.wait();
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void fall_asleep() {
    const std::uint32_t before = ends.gateway->sleepers();
    sleeper = std::async(std::launch::async, [this] {
      pyhost::Intake intake(*ends.worker);
      return intake.park() && intake.try_take();
    });
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (ends.gateway->sleepers() == before) {
      REQUIRE(std::chrono::steady_clock::now() < limit);
      std::this_thread::yield();
    }
  }
  void submit(std::uint32_t slot) {
    ends.gateway->post(slot, {});
    waker.wake();
  }
  bool sleeps() { return sleeper.wait_for(0s) == std::future_status::timeout; }
  bool wakes() { return sleeper.wait_for(10s) == std::future_status::ready; }
  void pass_patience() { loop.timers().advance(now += 1ms); }

  ChannelEnds ends;
  pycgid::EventLoop loop;
  pycgid::Clock::time_point now = loop.now();
  std::future<bool> sleeper;
  pycgid::ThreadWaker waker{*ends.gateway, 2, loop};
};

}  // namespace

TEST_CASE("waker: a thread that gets on is left alone", "[gateway]") {
  Stage s;
  for (std::uint32_t turn = 0; turn < 3; ++turn) {
    s.submit(turn);
    REQUIRE(s.ends.intake->try_take());
    s.pass_patience();
    CHECK(s.sleeps());
  }
}

TEST_CASE("waker: a queue that stands still gets another thread", "[gateway]") {
  Stage s;
  s.submit(0);
  CHECK(s.sleeps());
  s.pass_patience();
  CHECK(s.wakes());
}

TEST_CASE("waker: a queue that gets on is watched until it is empty", "[gateway]") {
  Stage s;
  s.submit(0);
  s.submit(1);
  REQUIRE(s.ends.intake->try_take());
  s.pass_patience();
  CHECK(s.sleeps());
  s.pass_patience();  // the second one has stood still since
  CHECK(s.wakes());
}

TEST_CASE("waker: after a stand-still, threads are woken at once", "[gateway]") {
  Stage s;
  s.submit(0);
  s.pass_patience();
  REQUIRE(s.wakes());
  s.fall_asleep();
  s.submit(1);
  CHECK(s.wakes());
}

TEST_CASE("waker: threads that all sleep are woken at once", "[gateway]") {
  Stage s;
  pycgid::ThreadWaker alone{*s.ends.gateway, 1, s.loop};
  s.ends.gateway->post(0, {});
  alone.wake();
  CHECK(s.wakes());
}
