// What is said of overload: at once, and then once a minute.
#include "daemon/gateway/overload_notices.h"

#include "tests/unit/captured_log.h"

#include <string>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

struct Said {
  Said() {
    pool.name = "blog";
    pool.max_queue = 20;
  }
  // The text of the lines since the last call, each after its object.
  std::string text() {
    std::string lines = log.text();
    std::string texts;
    for (std::size_t at = 0; (at = lines.find(" blog: ", at)) != std::string::npos;) {
      at += 7;
      texts += lines.substr(at, lines.find('\n', at) - at) + "\n";
    }
    return texts;
  }
  void pass(std::chrono::seconds time) { loop.timers().advance(now += time); }

  EventLoop loop;
  PoolSettings pool;
  OverloadNotices notices{loop, pool};
  CapturedLog log{LogLevel::notice};
  Clock::time_point now = loop.now();
};

TEST_CASE("overload: the first refusal is told of at once, the others after a minute",
          "[gateway]") {
  Said said;
  const std::string why = "the queue is full (option \"max-queue\" is 20)\n";
  for (int i = 0; i < 3; ++i) said.notices.refused(Shortage::queue_full);
  CHECK(said.text() == "answered 503: " + why);
  said.pass(59s);
  CHECK(said.text().empty());
  said.pass(2s);
  CHECK(said.text() == "answered 503: 2 more in the last minute: " + why);
  said.notices.refused(Shortage::queue_full);
  CHECK(said.text().empty());
  said.pass(61s);
  CHECK(said.text() == "answered 503: 1 more in the last minute: " + why);
  said.pass(61s);
  CHECK(said.text().empty());
  said.notices.refused(Shortage::queue_full);
  CHECK(said.text() == "answered 503: " + why);
}

TEST_CASE("overload: each cause has its own line", "[gateway]") {
  Said said;
  said.notices.refused(Shortage::queue_full);
  said.notices.refused(Shortage::queue_timeout);
  said.notices.refused(Shortage::not_started);
  said.notices.busy(4, 2);
  CHECK(said.text() ==
        "answered 503: the queue is full (option \"max-queue\" is 20)\n"
        "answered 503: requests waited for 30s (option \"queue-timeout\"); more get through at a "
        "time with options \"processes\" or \"threads\"\n"
        "answered 503: no worker is ready\n"
        "all 4 threads are busy and 2 requests wait (option \"processes\" or \"threads\")\n");
}

TEST_CASE("overload: busy threads are told of once, and of the most workers of a range",
          "[gateway]") {
  Said said;
  said.pool.processes_min = 1;
  said.pool.processes_max = 8;
  said.notices.busy(32, 5);
  said.notices.busy(32, 6);
  CHECK(said.text() ==
        "as many workers as there may be: all 32 threads are busy and 5 requests wait (option "
        "\"processes\" or \"threads\")\n");
}

TEST_CASE("overload: one thread, one request", "[gateway]") {
  Said said;
  said.notices.busy(1, 1);
  CHECK(said.text() ==
        "the only thread is busy and 1 request waits (option \"processes\" or \"threads\")\n");
}

TEST_CASE("overload: what is counted is told of when the pool ends", "[gateway]") {
  Said said;
  {
    OverloadNotices notices(said.loop, said.pool);
    for (int i = 0; i < 3; ++i) notices.refused(Shortage::stopping);
    CHECK(said.text() == "answered 503: the daemon is stopping\n");
  }
  CHECK(said.text() == "answered 503: 2 more in the last minute: the daemon is stopping\n");
}

TEST_CASE("overload: no option is named where no worker was ready", "[gateway]") {
  Said said;
  said.notices.refused(Shortage::unserved);
  CHECK(said.text() ==
        "answered 503: requests waited for 30s (option \"queue-timeout\"), and no worker was "
        "ready\n");
}

}  // namespace
