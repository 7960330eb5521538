// The wheel under a clock that the test turns.
#include "daemon/gateway/timer_wheel.h"

#include "tests/unit/catch.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <vector>

using pycgid::Clock;
using pycgid::Timer;
using pycgid::TimerWheel;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

class Probe final : public Timer {
 public:
  ~Probe() override = default;
  int fired = 0;
  std::function<void()> action;

 private:
  void on_timer() override {
    ++fired;
    if (action) action();
  }
};

constexpr Clock::time_point kStart{std::chrono::hours(1000) + milliseconds(7)};
constexpr milliseconds kRotation = 1024 * TimerWheel::kTick;

Clock::time_point after(milliseconds time) {
  return kStart + time;
}

}  // namespace

TEST_CASE("timer wheel: fires once, at its deadline and not before", "[gateway]") {
  for (const int deadline : {0, 1, 19, 20, 21, 1000, 20'479, 20'480, 20'481, 75'000, 3'600'000}) {
    TimerWheel wheel(kStart);
    Probe probe;
    wheel.set(probe, after(milliseconds(deadline)));
    CHECK(probe.armed());
    wheel.advance(after(milliseconds(deadline)) - nanoseconds(1));
    CHECK(probe.fired == 0);
    wheel.advance(after(milliseconds(deadline)));
    CHECK(probe.fired == 1);
    CHECK(!probe.armed());
    wheel.advance(after(milliseconds(deadline) + kRotation));
    CHECK(probe.fired == 1);
  }
}

TEST_CASE("timer wheel: a deadline beyond one rotation waits for its round", "[gateway]") {
  TimerWheel wheel(kStart);
  Probe near;
  Probe far;
  wheel.set(near, after(milliseconds(100)));
  wheel.set(far, after(milliseconds(100) + 3 * kRotation));
  for (milliseconds now{0}; now < 3 * kRotation + milliseconds(90); now += milliseconds(30)) {
    wheel.advance(after(now));
  }
  CHECK(near.fired == 1);
  CHECK(far.fired == 0);
  wheel.advance(after(milliseconds(100) + 3 * kRotation));
  CHECK(far.fired == 1);
}

TEST_CASE("timer wheel: a jump over several rotations misses nothing", "[gateway]") {
  TimerWheel wheel(kStart);
  std::vector<Probe> probes(3000);
  for (std::size_t i = 0; i < probes.size(); ++i) {
    wheel.set(probes[i], after(milliseconds(11 * i)));
  }
  wheel.advance(after(5 * kRotation));
  CHECK(std::all_of(probes.begin(), probes.end(),
                    [](const Probe& probe) { return probe.fired == 1; }));
  CHECK(!wheel.next());
}

TEST_CASE("timer wheel: moving and cancelling", "[gateway]") {
  TimerWheel wheel(kStart);
  Probe moved;
  Probe cancelled;
  wheel.set(moved, after(milliseconds(50)));
  wheel.set(cancelled, after(milliseconds(50)));
  wheel.set(moved, after(milliseconds(500)));
  cancelled.cancel();
  cancelled.cancel();
  CHECK(!cancelled.armed());
  wheel.advance(after(milliseconds(499)));
  CHECK(moved.fired == 0);
  wheel.set(moved, after(milliseconds(490)));
  wheel.advance(after(milliseconds(499)));
  CHECK(moved.fired == 1);
  CHECK(cancelled.fired == 0);
}

TEST_CASE("timer wheel: on_timer may arm its timer again", "[gateway]") {
  TimerWheel wheel(kStart);
  Probe probe;
  Clock::time_point due = after(milliseconds(10));
  probe.action = [&] { wheel.set(probe, due += milliseconds(10)); };
  wheel.set(probe, due);
  for (int now = 1; now <= 100; ++now) wheel.advance(after(milliseconds(now)));
  CHECK(probe.fired == 10);
}

TEST_CASE("timer wheel: armed from on_timer for the past, it fires in the next call", "[gateway]") {
  TimerWheel wheel(kStart);
  Probe probe;
  probe.action = [&] { wheel.set(probe, kStart - milliseconds(500)); };
  wheel.set(probe, after(milliseconds(10)));
  wheel.advance(after(milliseconds(30)));
  CHECK(probe.fired == 1);
  CHECK(wheel.next() <= after(milliseconds(30)));
  wheel.advance(after(milliseconds(30)));
  CHECK(probe.fired == 2);
}

TEST_CASE("timer wheel: on_timer may cancel or move others that are due", "[gateway]") {
  TimerWheel wheel(kStart);
  std::vector<Probe> probes(5);
  int fired = 0;
  for (Probe& probe : probes) {
    probe.action = [&] {
      if (++fired != 1) return;
      for (Probe& other : probes) other.cancel();
      wheel.set(probes[3], after(milliseconds(40)));
    };
    wheel.set(probe, after(milliseconds(10)));
  }
  wheel.advance(after(milliseconds(20)));
  CHECK(fired == 1);
  CHECK(probes[3].armed());
  wheel.advance(after(milliseconds(40)));
  CHECK(fired == 2);
  CHECK(!wheel.next());
}

TEST_CASE("timer wheel: on_timer may destroy any timer", "[gateway]") {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Probe>> probes;
  int fired = 0;
  for (int i = 0; i < 6; ++i) {
    probes.push_back(std::make_unique<Probe>());
    // The closure is copied: it goes with its timer otherwise.
    probes.back()->action = [&probes, &fired] {
      auto& all = probes;
      ++fired;
      all.clear();
    };
    wheel.set(*probes.back(), after(milliseconds(i < 4 ? 10 : 5000)));
  }
  wheel.advance(after(milliseconds(15)));
  CHECK(fired == 1);
  CHECK(!wheel.next());
}

TEST_CASE("timer wheel: next() is nothing without timers", "[gateway]") {
  TimerWheel wheel(kStart);
  CHECK(!wheel.next());
  Probe probe;
  wheel.set(probe, after(milliseconds(10)));
  CHECK(wheel.next() == after(milliseconds(10)));
  probe.cancel();
  CHECK(!wheel.next());
}

TEST_CASE("timer wheel: next() is the first deadline after advance()", "[gateway]") {
  TimerWheel wheel(kStart);
  Probe first;
  Probe second;
  Probe far;
  wheel.set(first, after(milliseconds(10)));
  wheel.set(second, after(milliseconds(900)));
  wheel.set(far, after(milliseconds(900) - kRotation + 3 * kRotation));
  wheel.advance(after(milliseconds(10)));
  CHECK(wheel.next() == after(milliseconds(900)));
}

TEST_CASE("timer wheel: next() is never late", "[gateway]") {
  std::minstd_rand random(4711);
  TimerWheel wheel(kStart);
  std::vector<Probe> probes(40);
  std::vector<Clock::time_point> deadlines(probes.size(), Clock::time_point::max());
  Clock::time_point now = kStart;
  for (int step = 0; step < 3000; ++step) {
    const std::size_t i = random() % probes.size();
    if (random() % 4 == 0) {
      probes[i].cancel();
    } else {
      deadlines[i] = now + milliseconds(random() % 50'000);
      wheel.set(probes[i], deadlines[i]);
    }
    now += milliseconds(random() % 200);
    wheel.advance(now);
    Clock::time_point first = Clock::time_point::max();
    for (std::size_t k = 0; k < probes.size(); ++k) {
      if (!probes[k].armed()) continue;
      first = std::min(first, deadlines[k]);
    }
    REQUIRE(first > now);
    REQUIRE(wheel.next().value_or(Clock::time_point::max()) <= first);
  }
}

TEST_CASE("timer wheel: sleeping until next() fires each timer at its deadline", "[gateway]") {
  std::minstd_rand random(17);
  TimerWheel wheel(kStart);
  std::vector<Probe> probes(300);
  Clock::time_point now = kStart;
  int late = 0;
  for (Probe& probe : probes) {
    const Clock::time_point deadline = after(milliseconds(random() % 100'000));
    probe.action = [&now, &late, deadline] { late += now != deadline; };
    wheel.set(probe, deadline);
  }
  int wakes = 0;
  for (; wheel.next(); ++wakes) {
    now = std::max(now, *wheel.next());
    wheel.advance(now);
  }
  for (const Probe& probe : probes) CHECK(probe.fired == 1);
  CHECK(late == 0);
  CHECK(wakes < 320);
}

TEST_CASE("timer wheel: a timer may outlive its wheel", "[gateway]") {
  Probe probe;
  {
    TimerWheel wheel(kStart);
    wheel.set(probe, after(milliseconds(10)));
  }
  CHECK(!probe.armed());
  probe.cancel();
}
