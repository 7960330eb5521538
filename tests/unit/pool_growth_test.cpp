// Pools with a range of processes: workers that are started for waiting requests, and those that
// end because nobody needs them.
#include "tests/unit/captured_log.h"
#include "tests/unit/pool_stage.h"

#include <string>

namespace {

using namespace supervisor_test;

struct ElasticStage : Stage {
  ElasticStage(unsigned min, unsigned max) {
    settings.processes_min = min;
    settings.processes_max = max;
    settings.threads = 1;
    pool.boot(now);
    for (pid_t pid = 1001; pid <= 1000 + static_cast<pid_t>(host.last_id); ++pid) {
      say(pid, "ready\n");
    }
  }
  void wait_for_threads(unsigned waiting) {
    now += 1s;
    pool.on_requests_wait(waiting, now);
  }
  void be_quiet(int seconds, unsigned peak = 0) {
    for (int i = 0; i < seconds; ++i) {
      now += 1s;
      pool.on_load_report(peak, now);
    }
  }
};

TEST_CASE("growth: it starts with MIN, and one more when requests wait", "[master]") {
  ElasticStage stage(2, 4);
  CHECK(stage.pool.is_serving());
  CHECK(stage.host.last_id == 2);
  stage.wait_for_threads(1);
  CHECK(stage.host.last_id == 3);
  CHECK(stage.host.numbers.at(1003) == 3);
  stage.say(1003, "ready\n");
  CHECK(stage.host.count(MessageType::take_over) == 1);
  stage.wait_for_threads(9);
  CHECK(stage.host.last_id == 4);
  stage.say(1004, "ready\n");
  stage.wait_for_threads(9);
  CHECK(stage.host.last_id == 4);
}

TEST_CASE("growth: with 0-MAX one worker shows that the application loads", "[master]") {
  ElasticStage stage(0, 4);
  CHECK(stage.host.last_id == 1);
  CHECK(stage.pool.is_serving());
  stage.be_quiet(10);
  CHECK(stage.host.count(MessageType::release_idle) == 1);
  stage.pool.on_released(1, stage.now);
  stage.die(1001, kCleanExit);
  stage.pass(60s);
  CHECK(stage.host.last_id == 1);
  stage.pool.on_requests_wait(1, stage.now);
  CHECK(stage.host.last_id == 2);
  CHECK(stage.host.numbers.at(1002) == 1);
}

TEST_CASE("growth: a released worker ends without being replaced, its number is free", "[master]") {
  ElasticStage stage(1, 4);
  stage.wait_for_threads(1);
  stage.wait_for_threads(2);
  stage.say(1002, "ready\n");
  stage.say(1003, "ready\n");
  stage.be_quiet(10);
  CHECK(stage.host.count(MessageType::release_idle) == 1);
  stage.pool.on_released(2, stage.now);
  stage.die(1002, kCleanExit);
  stage.pass(0ms);
  CHECK(stage.host.last_id == 3);
  stage.wait_for_threads(1);
  CHECK(stage.host.numbers.at(1004) == 2);
}

TEST_CASE("growth: a worker that died is replaced, and one that starts counts", "[master]") {
  ElasticStage stage(1, 2);
  stage.wait_for_threads(1);
  stage.say(1002, "ready\n");
  stage.die(1002, kSegv);
  stage.wait_for_threads(5);
  CHECK(stage.host.last_id == 2);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1003) == 2);
}

TEST_CASE("growth: a worker that cannot load is started anew when requests wait", "[master]") {
  ElasticStage stage(1, 4);
  stage.wait_for_threads(1);
  stage.say(1002, "error 78 SyntaxError\n");
  stage.die(1002, kExit1);
  CHECK(stage.host.last_end.find("SyntaxError") != std::string::npos);
  CHECK(stage.host.last_end.ends_with("; another is started when requests wait"));
  stage.pass(60s);
  CHECK(stage.host.last_id == 2);
  CHECK(stage.host.count(MessageType::refuse_waiting) == 0);
  stage.wait_for_threads(1);
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("growth: what waits for the only worker is refused when that cannot load", "[master]") {
  ElasticStage stage(0, 4);
  stage.pool.on_released(1, stage.now);
  stage.die(1001, kCleanExit);
  stage.wait_for_threads(3);
  SECTION("because it says so") {
    stage.say(1002, "error 78 SyntaxError\n");
    stage.wait_for_threads(1);
    CHECK(stage.host.last_id == 2);
    stage.die(1002, kExit1);
  }
  SECTION("because it dies") {
    stage.die(1002, kSegv);
  }
  SECTION("though another is being started") {
    stage.wait_for_threads(3);
    CHECK(stage.host.last_id == 4);
    stage.die(1002, kSegv);
  }
  CHECK(stage.host.count(MessageType::refuse_waiting) == 1);
  CHECK_FALSE(stage.pool.start_failure());
}

TEST_CASE("growth: a process that cannot be forked is tried again", "[master]") {
  ElasticStage stage(1, 4);
  stage.host.refuse_spawn = "cannot fork: Resource temporarily unavailable";
  stage.wait_for_threads(1);
  CHECK(stage.host.last_id == 1);
  stage.host.refuse_spawn.clear();
  stage.wait_for_threads(1);
  CHECK(stage.host.last_id == 2);
}

TEST_CASE("growth: one of MIN that cannot load is replaced, whoever waits", "[master]") {
  ElasticStage stage(1, 4);
  stage.die(1001, kSegv);
  stage.pass(0ms);
  stage.say(1002, "error 78 SyntaxError\n");
  stage.die(1002, kExit1);
  stage.pass(10s);
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("growth: a worn worker above MIN is replaced though its replacement cannot load",
          "[master]") {
  ElasticStage stage(1, 2);
  stage.wait_for_threads(1);
  stage.say(1002, "ready\n");
  stage.now += 1s;
  stage.pool.on_worn(2, "worn", stage.now);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1003) == 2);
  stage.say(1003, "error 78 SyntaxError\n");
  stage.die(1003, kExit1);
  stage.pass(10s);
  CHECK(stage.host.numbers.at(1004) == 2);
  stage.say(1004, "ready\n");
  CHECK(stage.host.retired == std::vector<pid_t>{1002});
}

TEST_CASE("growth: a worn worker that is released has no replacement", "[master]") {
  ElasticStage stage(1, 2);
  stage.wait_for_threads(1);
  stage.say(1002, "ready\n");
  stage.pool.on_worn(2, "worn", stage.now);
  stage.pool.on_released(2, stage.now);
  stage.pass(60s);
  CHECK(stage.host.last_id == 2);
}

TEST_CASE("growth: a reload begins with as many as there are, and nothing changes meanwhile",
          "[master]") {
  ElasticStage stage(1, 4);
  stage.wait_for_threads(1);
  stage.wait_for_threads(2);
  stage.say(1002, "ready\n");
  stage.be_quiet(9);
  stage.pool.reload(stage.now);
  CHECK(stage.host.last_id == 6);
  stage.wait_for_threads(9);
  stage.be_quiet(20);
  CHECK(stage.host.last_id == 6);
  CHECK(stage.host.count(MessageType::release_idle) == 0);
  stage.say(1004, "ready\n");
  stage.say(1005, "ready\n");
  CHECK(stage.host.count(MessageType::take_over) == 1);
  stage.say(1006, "ready\n");
  CHECK(stage.host.count(MessageType::take_over) == 2);
  stage.be_quiet(9);
  CHECK(stage.host.count(MessageType::release_idle) == 0);
  stage.wait_for_threads(9);
  CHECK(stage.host.numbers.at(1007) == 4);
}

TEST_CASE("growth: a new gateway finds as many workers as the old one had", "[master]") {
  ElasticStage stage(1, 4);
  stage.wait_for_threads(1);
  stage.say(1002, "ready\n");
  stage.pool.abandon(stage.now);
  stage.pool.recover(stage.now);
  CHECK(stage.host.last_id == 4);
  ElasticStage on_demand(0, 4);
  on_demand.pool.on_released(1, on_demand.now);
  on_demand.pool.abandon(on_demand.now);
  on_demand.pool.recover(on_demand.now);
  CHECK(on_demand.host.last_id == 1);
  on_demand.wait_for_threads(1);
  CHECK(on_demand.host.last_id == 2);
}

TEST_CASE("growth: a fixed number of processes never changes", "[master]") {
  ElasticStage stage(2, 2);
  stage.wait_for_threads(99);
  stage.be_quiet(60);
  CHECK(stage.host.last_id == 2);
  CHECK(stage.host.count(MessageType::release_idle) == 0);
}

TEST_CASE("growth: nothing is started while the daemon ends", "[master]") {
  ElasticStage stage(1, 4);
  stage.pool.stop(stage.now);
  stage.wait_for_threads(9);
  CHECK(stage.host.last_id == 1);
}

}  // namespace
