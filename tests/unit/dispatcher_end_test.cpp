// What becomes of requests that no worker will take: the end of the daemon, of a pool, or of all
// its workers.
#include "tests/unit/captured_log.h"
#include "tests/unit/dispatcher_stage.h"

#include <cstddef>
#include <cstdint>
#include <string>

using namespace dispatcher_test;

namespace {

using pycgid::Failure;
using pycgid::LogLevel;

std::uint64_t refused(const Fixture& stage) {
  return stage.dispatcher.stats().failures[static_cast<std::size_t>(Failure::not_started)];
}

bool says(const std::string& text, const char* what) {
  return text.find(what) != std::string::npos;
}

// And one handed ahead to the same worker.
void have_one_running(Fixture& stage) {
  PlayedWorker& worker = stage.add_worker();
  stage.front.request("/running");
  stage.front.request("/ahead");
  stage.dispatcher.run_turn();
  REQUIRE(worker.take() == "/running");
}

}  // namespace

TEST_CASE("dispatcher: what waits for a worker in vain is refused when the daemon stops",
          "[dispatcher]") {
  Fixture stage;
  CapturedLog log(LogLevel::info);
  stage.dispatcher.take_over(1);
  SECTION("no worker was ever ready") {}
  SECTION("the only ones are of a generation that has not taken over") {
    PlayedWorker& early = stage.add_worker(2);
    stage.front.request("/early");
    stage.dispatcher.run_turn();
    CHECK(early.take().empty());
  }
  stage.front.request("/1");
  stage.dispatcher.run_turn();
  const std::size_t waiting = stage.front.requests.size();
  CHECK(stage.front.completed == 0);
  stage.dispatcher.announce_end();
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.empty());
  CHECK(refused(stage) == waiting);
  CHECK(says(stage.front.text, "Status: 503"));
  const std::string lines = log.text();
  CHECK(says(lines, "(GET /1): answered 503: the daemon is stopping"));
  CHECK(says(lines, "warning : answered 503: the daemon is stopping"));
  // It had been sent before the end.
  stage.front.request("/late");
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.empty());
}

TEST_CASE("dispatcher: what waits is refused when the last worker is lost while the daemon stops",
          "[dispatcher]") {
  Fixture stage;
  PlayedWorker& worker = stage.add_worker();
  for (const char* uri : {"/running", "/ahead", "/too"}) stage.front.request(uri);
  stage.dispatcher.run_turn();
  REQUIRE(worker.take() == "/running");
  stage.dispatcher.announce_end();
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.size() == 3);
  SECTION("it is reaped") {
    CHECK(stage.dispatcher.worker_exited(1).lost == 1);
  }
  SECTION("it takes no more requests") {
    stage.dispatcher.retire(1);
    stage.dispatcher.run_turn();
    CHECK(stage.front.requests.size() == 1);
    stage.dispatcher.worker_exited(1);
  }
  SECTION("it writes nonsense") {
    worker.ends.write(worker.slot, pyhost::BlockType::body, "a body without a head");
  }
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.empty());
  CHECK(refused(stage) == 2);
}

TEST_CASE("dispatcher: a removed pool says so to what waits, and lets a worker finish that serves",
          "[dispatcher]") {
  Fixture stage;
  CapturedLog log(LogLevel::info);
  have_one_running(stage);
  stage.dispatcher.leave();
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.size() == 2);
  stage.dispatcher.worker_exited(1);
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.empty());
  CHECK(says(log.text(), "(GET /ahead): answered 503: the pool was removed"));
}

TEST_CASE("dispatcher: what waits is refused when the pool is said not to start", "[dispatcher]") {
  Fixture stage;
  CapturedLog log(LogLevel::info);
  have_one_running(stage);
  stage.dispatcher.worker_exited(1);
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.size() == 1);
  stage.dispatcher.refuse_all("its workers end before they are ready");
  stage.dispatcher.run_turn();
  CHECK(stage.front.requests.empty());
  CHECK(says(log.text(), "(GET /ahead): answered 503: its workers end before they are ready"));
}

TEST_CASE("dispatcher: a queue-timeout without a worker advises no more workers", "[dispatcher]") {
  Fixture stage;
  CapturedLog log(LogLevel::info);
  stage.dispatcher.take_over(1);
  stage.front.request("/1");
  stage.loop.timers().advance(stage.loop.now() + 2 * stage.pool.queue_timeout);
  const std::string lines = log.text();
  CHECK(says(lines, "(option \"queue-timeout\"), and no worker was ready"));
  CHECK(!says(lines, "\"processes\""));
}

TEST_CASE("dispatcher: a worker that stands still is tried with one request at a time",
          "[dispatcher]") {
  Fixture stage(2);
  PlayedWorker& stopped = stage.add_worker();
  PlayedWorker& other = stage.add_worker();
  stage.front.request("/late");
  stage.dispatcher.run_turn();
  stage.loop.timers().advance(stage.loop.now() + 2 * stage.pool.queue_timeout);
  REQUIRE(says(stage.front.text, "Status: 503"));
  for (int i = 0; i < 8; ++i) stage.front.request("/x");
  stage.dispatcher.run_turn();
  int tried = 0;
  SECTION("it goes on standing, and the others get all") {
    for (int answered = 0; answered < 8; ++answered) {
      REQUIRE(other.take() == "/x");
      other.answer();
      stage.dispatcher.run_turn();
    }
    CHECK(stage.front.completed == 9);
  }
  SECTION("it goes on") {
    while (!stopped.take().empty()) ++tried;
    CHECK(tried == 1);
    stopped.answer();
    stage.dispatcher.run_turn();
    while (!stopped.take().empty()) ++tried;
    CHECK(tried > 2);
  }
}
