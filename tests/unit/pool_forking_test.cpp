// Workers that a template forks: ordered, and there later or not at all.
#include "tests/unit/pool_stage.h"

#include <cstdint>
#include <string>
#include <utility>

namespace {

using namespace supervisor_test;

// Worker `id` is forked, as pid 1000 + id.
void come(Stage& stage, std::uint32_t id) {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
  SpawnedWorker worker;
  worker.id = id;
  worker.pid = static_cast<pid_t>(1000 + id);
  worker.status.reset(fds[0]);
  stage.host.says[worker.pid].reset(fds[1]);
  stage.host.status_fds[worker.pid] = fds[0];
  stage.pool.on_forked(std::move(worker));
}

void boot_preloaded(Stage& stage) {
  stage.host.preload = true;
  stage.pool.boot(stage.now);
  for (const std::uint32_t id : {1U, 2U}) {
    come(stage, id);
    stage.say(static_cast<pid_t>(1000 + id), "ready\n");
  }
  REQUIRE(stage.pool.is_serving());
}

const StartupError kDead{ExitStatus::configuration, "blog/template[7] exited with status 1"};

TEST_CASE("forking: a worker is introduced when it is there", "[master]") {
  Stage stage;
  stage.host.preload = true;
  stage.pool.boot(stage.now);
  CHECK(stage.host.told.empty());
  CHECK(stage.pool.status_fds().empty());
  CHECK_FALSE(stage.pool.is_empty());
  come(stage, 1);
  CHECK(stage.host.count(MessageType::worker_started) == 1);
  CHECK(stage.pool.owns(1001));
  stage.say(1001, "ready\n");
  come(stage, 2);
  stage.say(1002, "ready\n");
  CHECK(stage.pool.is_serving());
}

TEST_CASE("forking: why none comes is why the start fails", "[master]") {
  Stage stage;
  stage.host.preload = true;
  stage.pool.boot(stage.now);
  stage.pool.on_not_forked(1, kDead, stage.now);
  REQUIRE(stage.pool.start_failure());
  CHECK(stage.pool.start_failure()->text == kDead.text);
  CHECK_FALSE(stage.pool.is_empty());
  stage.pool.on_not_forked(2, kDead, stage.now);
  CHECK(stage.pool.is_empty());
  CHECK(stage.host.signals.empty());
}

TEST_CASE("forking: one that comes when nobody wants it any more is killed", "[master]") {
  Stage stage;
  stage.host.preload = true;
  stage.pool.boot(stage.now);
  stage.pool.on_not_forked(1, kDead, stage.now);
  come(stage, 2);
  CHECK(stage.host.was_killed(1002));
  stage.die(1002, SIGKILL);
  CHECK(stage.pool.is_empty());
}

TEST_CASE("forking: one that does not come in time is given up", "[master]") {
  Stage stage;
  stage.settings.preload = true;
  stage.host.preload = true;
  stage.pool.boot(stage.now);
  stage.pass(9'999ms);
  CHECK(stage.host.given_up.empty());
  stage.pass(1ms);
  CHECK(stage.host.given_up == std::vector<std::uint32_t>{1, 2});
  CHECK(stage.host.signals.empty());
  stage.pool.on_not_forked(1, kDead, stage.now);
  REQUIRE(stage.pool.start_failure());
  CHECK(stage.pool.start_failure()->text ==
        "application \"blog.wsgi\" did not load within 10s (option \"start-timeout\")");
}

TEST_CASE("forking: a replacement that does not come is ordered again", "[master]") {
  Stage stage;
  boot_preloaded(stage);
  stage.die(1001, kSegv);
  stage.pass(0ms);
  CHECK(stage.host.last_id == 3);
  stage.pool.on_not_forked(3, kDead, stage.now);
  stage.pass(100ms);
  CHECK(stage.host.last_id == 4);
  come(stage, 4);
  stage.say(1004, "ready\n");
  CHECK(stage.pool.owns(1004));
}

TEST_CASE("forking: a template is needed while it has a generation or workers", "[master]") {
  Stage stage;
  boot_preloaded(stage);
  CHECK(stage.pool.needs_template(1));
  CHECK_FALSE(stage.pool.needs_template(2));
  SECTION("a reload") {
    stage.pool.reload(stage.now);
    CHECK(stage.pool.needs_template(2));
    for (const std::uint32_t id : {3U, 4U}) {
      come(stage, id);
      stage.say(static_cast<pid_t>(1000 + id), "ready\n");
    }
    CHECK(stage.pool.needs_template(1));
    stage.die(1001, kCleanExit);
    CHECK(stage.pool.needs_template(1));
    stage.die(1002, kCleanExit);
    CHECK_FALSE(stage.pool.needs_template(1));
    CHECK(stage.pool.needs_template(2));
  }
  SECTION("the end") {
    stage.pool.stop(stage.now);
    CHECK(stage.pool.needs_template(1));
    stage.die(1001, kCleanExit);
    stage.die(1002, kCleanExit);
    CHECK_FALSE(stage.pool.needs_template(1));
  }
}

}  // namespace
