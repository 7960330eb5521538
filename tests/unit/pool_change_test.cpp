// A reload with other settings, as the supervisor of the workers sees it.
#include "tests/unit/pool_stage.h"

#include <cstdint>
#include <string>

namespace {

using namespace supervisor_test;

// Its host brings the next settings into force, as it should.
class ChangingHost : public FakeHost {
 public:
  void on_take_over(std::uint32_t) override {
    ++taken_over;
    if (pool == nullptr || next == nullptr) return;
    *in_force = *next;
    pool->set_next(nullptr);
  }

  PoolSupervisor* pool = nullptr;
  PoolSettings* in_force = nullptr;
  const PoolSettings* next = nullptr;
  int taken_over = 0;
};

struct ChangeStage {
  ChangeStage() {
    set_log_fd(-1);
    pool.boot(now);
    say(1001, "ready\n");
    say(1002, "ready\n");
    next.processes_min = 1;
    next.processes_max = 1;
    next.start_timeout = 20s;
    host.pool = &pool;
    host.in_force = &settings;
    host.next = &next;
    pool.set_next(&next);
  }
  ~ChangeStage() { set_log_fd(2); }
  ChangeStage(const ChangeStage&) = delete;
  ChangeStage& operator=(const ChangeStage&) = delete;

  void say(pid_t pid, const std::string& line) {
    REQUIRE(::write(host.says.at(pid).get(), line.data(), line.size()) > 0);
    pool.on_status_readable(host.status_fds.at(pid), now);
  }
  void pass(std::chrono::milliseconds time) {
    now += time;
    pool.on_time(now);
  }

  PoolSettings settings = two_workers();
  PoolSettings next = two_workers();
  ChangingHost host;
  TimePoint now{};
  PoolSupervisor pool{settings, 1, host};
};

TEST_CASE("change: the new generation has the new settings", "[master]") {
  ChangeStage stage;
  stage.pool.reload(stage.now);
  CHECK(stage.host.last_id == 3);  // one worker where there were two
  stage.pass(15s);
  CHECK_FALSE(stage.host.was_killed(1003));  // option start-timeout is the new one
  CHECK(stage.settings.processes_max == 2);
  stage.say(1003, "ready\n");
  CHECK(stage.pool.serving() == 2);
  CHECK(stage.settings.processes_max == 1);
}

TEST_CASE("change: settings are in force before the gateway hears of the generation", "[master]") {
  ChangeStage stage;
  stage.host.told.clear();
  stage.pool.reload(stage.now);
  stage.say(1003, "ready\n");
  CHECK(stage.host.taken_over == 2);
  CHECK(stage.host.told.back() == std::pair(MessageType::take_over, 2U));
}

TEST_CASE("change: one that fails leaves the old settings, also to replacements", "[master]") {
  ChangeStage stage;
  stage.pool.reload(stage.now);
  stage.say(1003, "error 78 cannot load application \"blog\"\n");
  stage.pool.on_exited(1003, kExit1, stage.now);
  CHECK_FALSE(stage.pool.has_candidate());
  CHECK(stage.settings.processes_max == 2);
  stage.pool.on_exited(1002, kSegv, stage.now);
  stage.pass(0ms);
  CHECK(stage.host.numbers.at(1004) == 2);
  stage.pass(10s);
  CHECK(stage.host.was_killed(1004));  // after the old option start-timeout
}

TEST_CASE("change: a start that is cancelled is not heard of any more", "[master]") {
  set_log_fd(-1);
  Stage stage;
  stage.pool.boot(stage.now);
  stage.pool.cancel_start();
  CHECK(stage.host.was_killed(1001));
  CHECK(stage.host.was_killed(1002));
  stage.pool.boot(stage.now);
  stage.die(1001, SIGKILL);
  stage.die(1002, SIGKILL);
  CHECK_FALSE(stage.pool.start_failure());
  stage.say(1003, "ready\n");
  stage.say(1004, "ready\n");
  CHECK(stage.pool.serving() == 2);
}

}  // namespace
