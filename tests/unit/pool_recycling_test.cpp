// Workers that have served long enough: replaced by ready ones, once, and without haste.
#include "tests/unit/pool_stage.h"

#include <string>
#include <vector>

namespace {

using namespace supervisor_test;
using Pids = std::vector<pid_t>;

TEST_CASE("recycling: a worn worker serves until its replacement is ready", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.now += 1s;
  stage.pool.on_worn(2, "replaced after 5 requests", stage.now);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1003) == 2);
  CHECK(stage.host.retired.empty());
  stage.say(1003, "ready\n");
  CHECK(stage.host.retired == Pids{1002});
  stage.die(1002, kCleanExit);
  stage.pass(60s);
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("recycling: a worn worker is replaced once, whatever is said again", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.now += 1s;
  stage.pool.on_worn(1, "once", stage.now);
  stage.pool.on_worn(1, "twice", stage.now);
  stage.pass(0ms);
  stage.pool.on_worn(1, "thrice", stage.now);
  stage.pass(60s);
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("recycling: a worker that is worn at birth is not replaced at once", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.on_worn(1, "replaced after 1 requests", stage.now);
  stage.pass(999ms);
  CHECK(stage.host.last_id == 2);
  stage.pass(1ms);
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("recycling: a replacement that cannot load is tried again, the old one serves",
          "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.now += 1s;
  stage.pool.on_worn(1, "worn", stage.now);
  stage.pass(0ms);
  stage.say(1003, "error 78 SyntaxError\n");
  stage.die(1003, kExit1);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1004) == 1);
  CHECK(stage.host.retired.empty());
  stage.say(1004, "ready\n");
  CHECK(stage.host.retired == Pids{1001});
}

TEST_CASE("recycling: a worn worker that dies has one successor, not two", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.on_worn(1, "worn", stage.now);
  SECTION("before its replacement is started") {
    stage.die(1001, kSegv);
  }
  SECTION("after that") {
    stage.pass(1s);
    stage.die(1001, kSegv);
  }
  stage.pass(1s);
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("recycling: a replaced worker that stays busy is cut after stop-timeout, then killed",
          "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.now += 1s;
  stage.pool.on_worn(1, "worn", stage.now);
  stage.pass(0ms);
  stage.say(1003, "ready\n");
  stage.pass(4'999ms);
  CHECK(stage.host.count(MessageType::cut) == 0);
  stage.pass(1ms);
  CHECK(stage.host.count(MessageType::cut) == 1);
  // Then it has a moment to clean up, no longer than stop-timeout.
  stage.pass(4'999ms);
  CHECK_FALSE(stage.host.was_killed(1001));
  stage.pass(1ms);
  CHECK(stage.host.was_killed(1001));
  stage.die(1001, SIGKILL);
  stage.pass(60s);
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("recycling: a worker above max-rss is replaced, one at the limit is not", "[master]") {
  Stage stage;
  stage.settings.max_rss = 100 << 20;
  stage.boot_ready();
  stage.host.memory = {{1001, 100 << 20}, {1002, (100 << 20) + 1}};
  stage.pass(2s);
  CHECK(stage.host.last_id == 3);
  CHECK(stage.host.numbers.at(1003) == 2);
  CHECK(stage.pool.next_due() == stage.now + 2s);
}

TEST_CASE("recycling: lives of max-lifetime end one after the other", "[master]") {
  Stage stage;
  stage.settings.max_lifetime = 100s;
  stage.boot_ready();
  CHECK(stage.pool.next_due() == stage.now + 95s);
  stage.pass(94'999ms);
  CHECK(stage.host.last_id == 2);
  stage.pass(1ms);
  CHECK(stage.host.numbers.at(1003) == 2);
  CHECK(stage.host.last_id == 3);
  stage.say(1003, "ready\n");
  stage.pass(5s);
  CHECK(stage.host.numbers.at(1004) == 1);
}

TEST_CASE("recycling: nobody is replaced while the daemon stops", "[master]") {
  Stage stage;
  stage.settings.max_lifetime = 10s;
  stage.boot_ready();
  stage.pool.stop(stage.now);
  stage.pool.on_worn(1, "worn", stage.now);
  stage.pass(4s);
  stage.pass(10s);
  CHECK(stage.host.last_id == 2);
}

}  // namespace
