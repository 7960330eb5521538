// The gate alone, with sleepers that only sleep.
#include "pyhost/internal/channel_gate.h"
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace pyhost;
using namespace channel_test;

namespace {

// A thread that sleeps at `gate` until it is called.
class Sleeper {
 public:
  Sleeper(Gate& gate, std::uint32_t seat) : thread_([this, &gate, seat] { sleep(gate, seat); }) {
    REQUIRE(eventually([this] { return sleeps(); }));
  }
  ~Sleeper() { thread_.join(); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  bool called() const { return called_; }

 private:
  void sleep(Gate& gate, std::uint32_t seat) {
    gate.begin_sleep(seat);
    const std::uint32_t calls = gate.calls();
    id_ = ::gettid();
    gate.futex_sleep(calls, seat);
    gate.end_sleep(seat);
    called_ = true;
  }

  // The thread has nothing else to sleep in.
  bool sleeps() const {
    std::ifstream file("/proc/self/task/" + std::to_string(id_) + "/stat");
    std::string line;
    return std::getline(file, line) && line.find(") S ") != std::string::npos;
  }

  std::atomic<pid_t> id_{0};
  std::atomic<bool> called_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("gate: one that was taken for nobody is open again", "[channel]") {
  Gate gate{};
  gate.begin_sleep(1);  // counted, and not asleep: it has found work by itself
  const std::uint32_t calls = gate.calls();
  CHECK(!gate.call_one());
  CHECK(gate.calls() != calls);  // so that nobody falls asleep who looked before
  CHECK(!gate.call_one());
  gate.arrive();
  CHECK(gate.call_one());
  gate.leave();
  CHECK(!gate.call_one());
}

TEST_CASE("gate: calls one sleeper, and none while somebody is on the way", "[channel]") {
  Gate gate{};
  const Sleeper first(gate, 1);
  {
    const Sleeper second(gate, 2);
    CHECK(gate.sleepers() == 2);
    CHECK(gate.call_one());
    CHECK(eventually([&] { return first.called(); }));
    CHECK(gate.call_one());
    CHECK(!second.called());
    gate.leave();
    CHECK(gate.call_one());
  }
  CHECK(!gate.anyone_sleeps());
}

TEST_CASE("gate: the lowest seat is called first, whoever has slept longest", "[channel]") {
  Gate gate{};
  const Sleeper high(gate, 4);
  const Sleeper low(gate, 2);
  CHECK(gate.call_one());
  CHECK(eventually([&] { return low.called() || high.called(); }));
  CHECK(low.called());
  gate.leave();
  CHECK(gate.call_one());
}

TEST_CASE("gate: a sleeper is found when the seats don't tell", "[channel]") {
  Gate gate{};
  const Sleeper sleeper(gate, 4);
  gate.begin_sleep(1);  // never asleep
  CHECK(gate.call_one());
  CHECK(eventually([&] { return sleeper.called(); }));
  gate.end_sleep(1);
}

TEST_CASE("gate: threads may share a seat", "[channel]") {
  Gate gate{};
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  for (int i = 0; i < 3; ++i) sleepers.push_back(std::make_unique<Sleeper>(gate, 8));
  for (std::uint32_t left = 3; left > 0; --left) {
    CHECK(gate.call_one());
    CHECK(eventually([&] { return gate.sleepers() == left - 1; }));
    gate.leave();
  }
  CHECK(!gate.call_one());
}

TEST_CASE("gate: a call to all reaches all", "[channel]") {
  Gate gate{};
  const Sleeper first(gate, 1);
  const Sleeper second(gate, 2);
  gate.call_all();
  CHECK(eventually([&] { return first.called() && second.called(); }));
}
