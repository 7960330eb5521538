// What becomes of a pool's workers when the gateway dies.
#include "tests/unit/pool_stage.h"

namespace {

using namespace supervisor_test;

TEST_CASE("supervisor: without a gateway all workers end, and new ones serve at once", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.abandon(stage.now);
  CHECK(stage.host.signals.empty());  // they see it by themselves
  stage.pool.recover(stage.now);
  CHECK(stage.host.count(MessageType::take_over) == 2);
  CHECK(stage.host.last_id == 4);
  stage.die(1001, kCleanExit);
  stage.say(1003, "ready\n");
  stage.say(1004, "ready\n");
  stage.pass(9s);
  CHECK_FALSE(stage.host.was_killed(1002));  // 5 s for its requests, as long for its own end
  stage.pass(1s);
  CHECK(stage.host.was_killed(1002));
  CHECK_FALSE(stage.host.was_killed(1003));
  CHECK(stage.host.last_id == 4);
}

TEST_CASE("supervisor: a pool that has not served when the gateway dies boots again", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  stage.say(1001, "ready\n");
  stage.pool.abandon(stage.now);
  CHECK(stage.host.was_killed(1002));
  stage.pool.recover(stage.now);
  CHECK_FALSE(stage.pool.is_serving());
  CHECK(stage.host.count(MessageType::take_over) == 0);
  stage.say(1003, "ready\n");
  stage.say(1004, "ready\n");
  CHECK(stage.pool.is_serving());
}

TEST_CASE("supervisor: a worker that cannot load after a recovery is tried again", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.abandon(stage.now);
  stage.pool.recover(stage.now);
  stage.say(1003, "error 78 SyntaxError\n");
  stage.die(1003, kExit1);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1005) == 1);
  CHECK_FALSE(stage.pool.start_failure());
}

TEST_CASE("supervisor: a worker told to leave before its generation serves is replaced then",
          "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  stage.say(1001, "ready\n");
  stage.pool.on_worn(1, "replaced after TERM", stage.now);
  stage.say(1002, "ready\n");
  stage.pass(1s);
  CHECK(stage.host.numbers.at(1003) == 1);
  stage.say(1003, "ready\n");
  CHECK(stage.host.retired == std::vector<pid_t>{1001});
}

}  // namespace
