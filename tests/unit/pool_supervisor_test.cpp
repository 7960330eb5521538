// The supervision of workers, driven by hand: a host that forks nothing and a clock that stands
// still.
#include "tests/unit/pool_stage.h"

#include <string>
#include <utility>
#include <vector>

namespace {

using namespace supervisor_test;

TEST_CASE("supervisor: a pool serves when all of its workers are ready", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  stage.say(1001, "ready\n");
  CHECK_FALSE(stage.pool.is_serving());
  stage.say(1002, "ready\n");
  CHECK(stage.pool.is_serving());
  CHECK(stage.host.count(MessageType::worker_started) == 2);
  CHECK(stage.host.count(MessageType::worker_ready) == 2);
  CHECK(stage.host.told.back() == std::pair(MessageType::take_over, 1U));
}

TEST_CASE("supervisor: a first word that comes in pieces", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  stage.say(1001, "rea");
  CHECK(stage.host.count(MessageType::worker_ready) == 0);
  stage.say(1001, "dy\n");
  CHECK(stage.host.count(MessageType::worker_ready) == 1);
}

TEST_CASE("supervisor: a worker that cannot load fails the start with its message", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  stage.say(1001, "error 78 cannot load application \"blog\"\n");
  stage.die(1001, kExit1);
  REQUIRE(stage.pool.start_failure());
  CHECK(stage.pool.start_failure()->status == ExitStatus::configuration);
  CHECK(stage.pool.start_failure()->text == "cannot load application \"blog\"");
  CHECK(stage.host.was_killed(1002));
}

TEST_CASE("supervisor: last words are read after the end", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  const std::string line = "error 71 no rights\n";
  REQUIRE(::write(stage.host.says.at(1001).get(), line.data(), line.size()) > 0);
  stage.die(1001, kExit1);
  REQUIRE(stage.pool.start_failure());
  CHECK(stage.pool.start_failure()->status == ExitStatus::system);
  CHECK(stage.pool.start_failure()->text == "no rights");
}

TEST_CASE("supervisor: a worker that says nothing fails the start", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  SECTION("because it ends") {
    stage.die(1002, kSegv);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->text ==
          "blog/2[1002] was killed by signal 11 (Segmentation fault) before it was ready");
  }
  SECTION("because it takes too long") {
    stage.say(1001, "begun\n");
    stage.pass(9'999ms);
    CHECK_FALSE(stage.host.was_killed(1001));
    stage.pass(1ms);
    CHECK(stage.host.was_killed(1001));
    stage.die(1001, SIGKILL);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->text ==
          "application \"blog.wsgi\" did not load within 10s (option \"start-timeout\")");
  }
}

TEST_CASE("supervisor: a process that cannot be forked fails the start", "[master]") {
  Stage stage;
  stage.host.refuse_spawn = "cannot fork: Resource temporarily unavailable";
  stage.pool.boot(stage.now);
  REQUIRE(stage.pool.start_failure());
  CHECK(stage.pool.start_failure()->status == ExitStatus::system);
}

TEST_CASE("supervisor: a dead worker is replaced under its number", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.die(1002, kSegv);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1003) == 2);
  stage.say(1003, "ready\n");
  CHECK(stage.host.count(MessageType::worker_exited) == 1);
  CHECK(stage.host.count(MessageType::worker_ready) == 3);
  CHECK(stage.host.count(MessageType::take_over) == 1);
}

TEST_CASE("supervisor: a worker that dies young again and again is replaced ever later",
          "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.die(1001, kSegv);
  stage.pass(0ms);
  pid_t pid = 1003;
  for (std::chrono::milliseconds delay :
       {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 10'000ms, 10'000ms}) {
    stage.die(pid, kSegv);
    stage.pass(delay - 1ms);
    CHECK(stage.host.numbers.count(pid + 1) == 0);
    stage.pass(1ms);
    REQUIRE(stage.host.numbers.count(pid + 1) == 1);
    ++pid;
  }
  stage.say(pid, "ready\n");
  stage.now += 30s;
  stage.die(pid, kSegv);
  stage.pass(0ms);
  CHECK(stage.host.numbers.count(pid + 1) == 1);
}

TEST_CASE("supervisor: requests are refused while workers do not get ready", "[master]") {
  Stage stage;
  stage.settings.processes_min = 1;
  stage.settings.processes_max = 1;
  stage.pool.boot(stage.now);
  stage.say(1001, "ready\n");
  pid_t pid = 1001;
  for (std::chrono::milliseconds delay : {0ms, 100ms, 200ms, 400ms, 800ms}) {
    stage.die(pid++, kSegv);
    stage.pass(delay);
  }
  CHECK(stage.host.count(MessageType::refuse) == 0);
  stage.die(pid++, kSegv);
  CHECK(stage.host.count(MessageType::refuse) == 1);
  stage.pass(1600ms);
  CHECK(stage.host.count(MessageType::take_over) == 1);
  stage.say(pid, "ready\n");
  CHECK(stage.host.count(MessageType::take_over) == 2);
}

TEST_CASE("supervisor: requests are not refused while workers get ready and die", "[master]") {
  Stage stage;
  stage.settings.processes_min = 1;
  stage.settings.processes_max = 1;
  stage.pool.boot(stage.now);
  stage.say(1001, "ready\n");
  for (pid_t pid = 1001; pid < 1009; ++pid) {
    stage.die(pid, kSegv);
    stage.pass(10s);
    stage.say(pid + 1, "ready\n");
  }
  CHECK(stage.host.count(MessageType::refuse) == 0);
}

TEST_CASE("supervisor: requests are not refused while another worker lives", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.die(1001, kSegv);
  stage.pass(0ms);
  pid_t pid = 1003;
  for (std::chrono::milliseconds delay : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms}) {
    stage.die(pid++, kSegv);
    stage.pass(delay);
  }
  CHECK(stage.host.count(MessageType::refuse) == 0);
}

TEST_CASE("supervisor: a worker that the gateway accuses is killed and replaced", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.on_violation(1, "it wrote nonsense");
  CHECK(stage.host.was_killed(1001));
  stage.die(1001, SIGKILL);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1003) == 1);
}

TEST_CASE("supervisor: a reload takes over when all new workers are ready", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.reload(stage.now);
  stage.say(1003, "ready\n");
  CHECK(stage.host.count(MessageType::take_over) == 1);
  stage.say(1004, "ready\n");
  CHECK(stage.host.told.back() == std::pair(MessageType::take_over, 2U));
  stage.die(1001, kCleanExit);
  stage.pass(0ms);
  CHECK(stage.host.last_id == 4);
}

TEST_CASE("supervisor: an old worker that stays busy is cut after stop-timeout, then killed",
          "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.reload(stage.now);
  stage.say(1003, "ready\n");
  stage.say(1004, "ready\n");
  stage.pass(4'999ms);
  stage.pass(1ms);
  CHECK(stage.host.count(MessageType::cut) == 2);  // and the other old one
  stage.pass(4'999ms);
  CHECK_FALSE(stage.host.was_killed(1001));
  stage.pass(1ms);
  CHECK(stage.host.was_killed(1001));
  CHECK_FALSE(stage.host.was_killed(1003));
}

TEST_CASE("supervisor: a reload that fails leaves the old generation serving", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.reload(stage.now);
  stage.say(1003, "ready\n");
  stage.say(1004, "error 78 SyntaxError\n");
  stage.die(1004, kExit1);
  CHECK(stage.host.was_killed(1003));
  CHECK_FALSE(stage.host.was_killed(1001));
  CHECK_FALSE(stage.pool.start_failure());
  stage.die(1003, SIGKILL);
  stage.die(1001, kSegv);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1005) == 1);
  CHECK(stage.host.told.back() == std::pair(MessageType::worker_started, 1U));
}

TEST_CASE("supervisor: the outcome of the last reload is kept and told", "[master]") {
  Stage stage;
  stage.boot_ready();
  CHECK_FALSE(stage.pool.state().last_reload);
  stage.pool.reload(stage.now);
  CHECK(stage.pool.has_candidate());
  CHECK(stage.pool.state().candidate == 2);
  stage.pass(2s);
  stage.say(1003, "error 78 no module\n");
  stage.die(1003, SIGKILL);
  CHECK_FALSE(stage.pool.has_candidate());
  PoolState state = stage.pool.state();
  REQUIRE(state.last_reload);
  CHECK_FALSE(state.last_reload->ok);
  CHECK(state.last_reload->reason == "no module");
  CHECK(state.last_reload->generation == 2);
  CHECK(state.last_reload->when == stage.now);
  CHECK((state.serving == 1 && state.candidate == 0 && state.failed_reloads == 1));
  CHECK(stage.host.last_state == encode(state));
  stage.pool.reload(stage.now);
  stage.say(1005, "ready\n");
  stage.say(1006, "ready\n");
  state = stage.pool.state();
  CHECK((state.last_reload->ok && state.last_reload->generation == 3 && state.reloads == 1));
  CHECK(stage.host.last_state == encode(state));
}

TEST_CASE("supervisor: a reload that nobody will finish has failed", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.reload(stage.now);
  stage.pool.reload(stage.now);
  SECTION("because the gateway has ended") {
    stage.pool.abandon(stage.now);
    CHECK(stage.pool.state().last_reload->reason ==
          "the gateway has ended, all workers are replaced");
  }
  SECTION("because the daemon ends") {
    stage.pool.stop(stage.now);
    CHECK(stage.pool.state().last_reload->reason == "the daemon is stopping");
  }
  CHECK_FALSE(stage.pool.has_candidate());
  CHECK_FALSE(stage.pool.state().last_reload->ok);
}

TEST_CASE("supervisor: deaths in service are counted and told", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.die(1002, kSegv);
  CHECK(stage.pool.state().deaths == 1);
  CHECK(stage.host.last_state == encode(stage.pool.state()));
}

TEST_CASE("supervisor: reloads during a reload become one more", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.reload(stage.now);
  stage.pool.reload(stage.now);
  stage.pool.reload(stage.now);
  CHECK(stage.host.last_id == 4);
  stage.say(1003, "ready\n");
  stage.say(1004, "ready\n");
  CHECK(stage.host.last_id == 6);
  stage.say(1005, "ready\n");
  stage.say(1006, "ready\n");
  CHECK(stage.host.last_id == 6);
}

TEST_CASE("supervisor: a worker of the old generation is replaced during a reload", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.pool.reload(stage.now);
  stage.die(1001, kSegv);
  stage.pass(0ms);
  CHECK(stage.host.told.back() == std::pair(MessageType::worker_started, 1U));
  stage.say(1003, "ready\n");
  stage.say(1004, "ready\n");
  CHECK(stage.host.was_killed(1005));
}

TEST_CASE("supervisor: at the end nobody is replaced and late starters are killed", "[master]") {
  Stage stage;
  stage.boot_ready();
  stage.die(1001, kSegv);
  stage.pass(0ms);
  stage.pool.stop(stage.now);
  CHECK(stage.host.was_killed(1003));
  CHECK_FALSE(stage.host.was_killed(1002));
  stage.die(1003, SIGKILL);
  stage.die(1002, kCleanExit);
  stage.pass(60s);
  CHECK(stage.pool.is_empty());
  CHECK(stage.host.last_id == 3);
}

TEST_CASE("supervisor: a child that is not ours is not known", "[master]") {
  Stage stage;
  stage.boot_ready();
  CHECK(stage.pool.owns(1001));
  CHECK_FALSE(stage.pool.owns(999));
}

TEST_CASE("supervisor: with warm-up, a generation takes over when all workers are warm",
          "[master]") {
  Stage stage;
  stage.settings.warmup = {"/"};
  stage.boot_ready();
  CHECK(stage.host.count(MessageType::worker_ready) == 2);
  CHECK_FALSE(stage.pool.is_serving());
  stage.pool.on_warm(1, stage.now);
  CHECK_FALSE(stage.pool.is_serving());
  stage.pool.on_warm(2, stage.now);
  CHECK(stage.pool.is_serving());
}

TEST_CASE("supervisor: a warm-up that fails fails the start, or the reload", "[master]") {
  Stage stage;
  stage.settings.warmup = {"/"};
  stage.boot_ready();
  SECTION("at start") {
    stage.pool.on_warmup_failed(1, "answered 500");
    CHECK(stage.host.was_killed(1001));
    stage.die(1001, SIGKILL);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->status == ExitStatus::temporary);
    CHECK(stage.pool.start_failure()->text == "answered 500");
  }
  SECTION("at a reload") {
    stage.pool.on_warm(1, stage.now);
    stage.pool.on_warm(2, stage.now);
    stage.pool.reload(stage.now);
    stage.say(1003, "ready\n");
    stage.pool.on_warmup_failed(3, "answered 500");
    stage.die(1003, SIGKILL);
    CHECK(stage.host.was_killed(1004));
    CHECK_FALSE(stage.host.was_killed(1001));
    CHECK_FALSE(stage.pool.start_failure());
  }
  SECTION("by taking longer than start-timeout, counted from the start") {
    stage.pass(10s);
    CHECK(stage.host.was_killed(1001));
    stage.die(1001, SIGKILL);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->text ==
          "the requests of option \"warmup\" were not answered within 10s (option "
          "\"start-timeout\")");
  }
}

}  // namespace
