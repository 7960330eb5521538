// What the gateway tells the master about a pool's load, and when.
#include "daemon/gateway/load_watch.h"

#include "tests/unit/captured_log.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;
using Told = std::vector<std::pair<MessageType, std::uint32_t>>;

struct Watched final : LoadSource {
  Watched(unsigned min, unsigned max) {
    pool.processes_min = min;
    pool.processes_max = max;
  }
  void note_ended() override {}
  Load load() const override { return present; }
  void be(const Load& load) {
    present = load;
    watch.note(load);
  }
  Told told() { return std::exchange(messages, {}); }
  void pass(std::chrono::milliseconds time) { loop.timers().advance(now += time); }

  Load present;
  Told messages;
  EventLoop loop;
  PoolSettings pool;
  OverloadNotices notices{loop, pool};
  LoadWatch watch{loop, pool, *this, notices,
                  [this](Message message) { messages.emplace_back(message.type, message.count); }};
  CapturedLog log{LogLevel::notice};
  Clock::time_point now = loop.now();
};

constexpr Load kBusy{.workers = 1, .threads = 4, .active = 4, .queue = 3};
constexpr Load kCalm{.workers = 1, .threads = 4, .active = 2, .queue = 0};

TEST_CASE("load: the first request of a pool without a worker is told of at once", "[gateway]") {
  Watched watched(0, 4);
  watched.be({.queue = 1});
  CHECK(watched.told() == Told{{MessageType::requests_wait, 1}});
  watched.be({.queue = 2});
  watched.be({});
  watched.be({.queue = 3});
  CHECK(watched.told().empty());
}

// The clock of the loop stands still: what has waited for some time is a matter of the end-to-end
// tests.
TEST_CASE("load: a moment's queue is not told of", "[gateway]") {
  Watched watched(1, 4);
  watched.be(kBusy);
  watched.be(kCalm);
  watched.pass(1s);
  CHECK(watched.told().empty());
}

TEST_CASE("load: a refused request asks for a worker where none ever waits", "[gateway]") {
  Watched watched(1, 4);
  watched.be({.workers = 1, .threads = 4, .active = 4});
  watched.watch.refused();
  watched.watch.refused();
  CHECK(watched.told() == Told{{MessageType::requests_wait, 1}});
  watched.pass(300ms);
  watched.watch.refused();
  CHECK(watched.told() == Told{{MessageType::requests_wait, 1}});
  watched.present.workers = 4;
  watched.pass(600ms);
  watched.watch.refused();
  CHECK(watched.told().empty());
}

TEST_CASE("load: reports come while there are more workers than MIN", "[gateway]") {
  Watched watched(1, 4);
  watched.be({.workers = 2, .threads = 8, .active = 5});
  watched.be({.workers = 2, .threads = 8, .active = 1});
  watched.watch.workers_changed();
  watched.pass(1020ms);
  CHECK(watched.told() == Told{{MessageType::load_report, 5}});
  watched.present.workers = 1;
  watched.pass(1020ms);
  watched.pass(1020ms);
  CHECK(watched.told().empty());
}

TEST_CASE("load: a fixed number of workers tells the master nothing", "[gateway]") {
  Watched watched(1, 1);
  watched.watch.workers_changed();
  watched.be({.queue = 1});
  watched.watch.refused();
  watched.pass(5s);
  CHECK(watched.told().empty());
}

}  // namespace
