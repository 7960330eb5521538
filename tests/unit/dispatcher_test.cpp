// Which request runs where.
#include "tests/unit/dispatcher_stage.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

using namespace dispatcher_test;

TEST_CASE("dispatcher: requests go to the worker with most idle threads", "[dispatcher]") {
  Fixture f(2);
  PlayedWorker& a = f.add_worker();
  PlayedWorker& b = f.add_worker();
  f.front.request("/1");
  f.front.request("/2");
  f.dispatcher.run_turn();
  CHECK((a.take() + b.take()).size() == 4);
  CHECK(a.take().empty());
  CHECK(b.take().empty());
}

TEST_CASE("dispatcher: an answer frees the thread and the slot", "[dispatcher]") {
  Fixture f;
  PlayedWorker& worker = f.add_worker();
  for (int i = 0; i < 100; ++i) {
    f.front.request("/x");
    f.dispatcher.run_turn();
    REQUIRE(worker.take() == "/x");
    worker.answer();
    f.dispatcher.run_turn();
  }
  CHECK(f.front.completed == 100);
  CHECK(f.front.requests.empty());
}

TEST_CASE("dispatcher: a thread that is free again counts before it was looked at",
          "[dispatcher]") {
  Fixture f;
  f.pool.max_queue = 0;
  PlayedWorker& worker = f.add_worker();
  f.front.request("/1");
  f.dispatcher.run_turn();
  REQUIRE(worker.take() == "/1");
  worker.answer();
  f.front.request("/2");
  CHECK(f.front.text.empty());  // no 503
  f.dispatcher.run_turn();
  CHECK(worker.take() == "/2");
}

TEST_CASE("dispatcher: the gateway naps only where answers come quickly", "[dispatcher]") {
  using Pressure = pycgid::Dispatcher::Pressure;
  Fixture f;
  PlayedWorker& worker = f.add_worker();
  CHECK(f.dispatcher.pressure() == Pressure::none);
  for (int i = 0; i < 5; ++i) f.front.request("/x");
  f.dispatcher.run_turn();
  CHECK(f.dispatcher.pressure() == Pressure::some);  // no answer was seen yet
  for (int i = 0; i < 2; ++i) {
    REQUIRE(worker.take() == "/x");
    worker.answer();
    f.dispatcher.run_turn();
  }
  CHECK(f.dispatcher.pressure() == Pressure::full);
  REQUIRE(worker.take() == "/x");
  worker.answer();
  f.dispatcher.run_turn();
  CHECK(f.dispatcher.pressure() == Pressure::some);  // one request ahead is too few
}

TEST_CASE("dispatcher: a busy worker is handed requests ahead, in order", "[dispatcher]") {
  Fixture f;
  PlayedWorker& worker = f.add_worker();
  for (const char* uri : {"/1", "/2", "/3"}) f.front.request(uri);
  f.dispatcher.run_turn();
  for (const char* uri : {"/1", "/2", "/3"}) {
    REQUIRE(worker.take() == uri);
    worker.answer();
  }
  f.dispatcher.run_turn();
  CHECK(f.front.completed == 3);
}

TEST_CASE("dispatcher: nothing waits behind a busy worker while a thread is idle", "[dispatcher]") {
  Fixture f;
  PlayedWorker& stuck = f.add_worker();
  PlayedWorker& quick = f.add_worker();
  for (const char* uri : {"/1", "/2", "/3", "/4"}) f.front.request(uri);
  f.dispatcher.run_turn();
  REQUIRE(!stuck.take().empty());  // and never answers
  for (int i = 0; i < 3; ++i) {
    REQUIRE(!quick.take().empty());
    quick.answer();
    f.dispatcher.run_turn();
  }
  CHECK(f.front.completed == 3);
  CHECK(stuck.take().empty());
}

TEST_CASE("dispatcher: a worker that stands still keeps no request from another", "[dispatcher]") {
  Fixture stage;
  PlayedWorker& stopped = stage.add_worker();
  PlayedWorker& other = stage.add_worker();
  stage.front.request("/late");
  stage.dispatcher.run_turn();
  stage.loop.timers().advance(stage.loop.now() + 2 * stage.pool.queue_timeout);
  CHECK(stage.front.text.find("Status: 503") != std::string::npos);
  stage.front.request("/first");
  stage.dispatcher.run_turn();
  CHECK(other.take() == "/first");
  // No thread is idle now: whoever gets this one, it is not lost to the one that stands still.
  stage.front.request("/second");
  stage.dispatcher.run_turn();
  other.answer();
  stage.dispatcher.run_turn();
  CHECK(other.take() == "/second");
  CHECK(stopped.take().empty());
}

TEST_CASE("dispatcher: a request that was withdrawn never reaches the worker", "[dispatcher]") {
  Fixture f;
  PlayedWorker& worker = f.add_worker();
  SECTION("from the queue") {
    Exchange& exchange = f.front.request("/gone");
    f.front.forget(exchange);
    f.dispatcher.run_turn();
  }
  SECTION("after it was handed over") {
    Exchange& exchange = f.front.request("/gone");
    f.dispatcher.run_turn();
    f.front.forget(exchange);
  }
  CHECK(worker.take().empty());
}

TEST_CASE("dispatcher: a running request that was withdrawn is aborted", "[dispatcher]") {
  Fixture f;
  PlayedWorker& worker = f.add_worker();
  Exchange& exchange = f.front.request("/gone");
  f.dispatcher.run_turn();
  REQUIRE(worker.take() == "/gone");
  CHECK(!worker.ends.worker->aborted(worker.slot));
  f.front.forget(exchange);
  CHECK(worker.ends.worker->aborted(worker.slot));
}

TEST_CASE("dispatcher: an answer that nobody wants is dropped in parts, and not for ever",
          "[dispatcher]") {
  Fixture f;
  PlayedWorker& worker = f.add_worker();
  Exchange& exchange = f.front.request("/gone");
  f.dispatcher.run_turn();
  REQUIRE(worker.take() == "/gone");
  f.front.forget(exchange);
  const std::string block(60'000, 'x');
  int turns = 0;
  while (f.violated.empty() && ++turns < 10'000) {
    worker.ends.worker->write(worker.slot, pyhost::BlockType::body, block);
    worker.ends.worker->publish(worker.slot);
    f.dispatcher.run_turn();
  }
  CHECK(f.violated.size() == 1);
  CHECK(turns > 100);
}

TEST_CASE("dispatcher: what a lost worker had not begun is run by another", "[dispatcher]") {
  Fixture f;
  PlayedWorker& dies = f.add_worker();
  f.front.request("/running");
  f.front.request("/ahead");
  f.dispatcher.run_turn();
  REQUIRE(dies.take() == "/running");
  PlayedWorker& other = f.add_worker();
  const pycgid::Losses losses = f.dispatcher.worker_exited(1);
  CHECK(losses.lost == 1);
  CHECK(losses.text.starts_with("request "));
  CHECK(losses.text.ends_with(" (GET /running): answered 502"));
  CHECK(f.dispatcher.worker_exited(1).lost == 0);
  CHECK(f.front.completed == 1);
  CHECK(f.front.text.find("502") != std::string::npos);
  f.dispatcher.run_turn();
  CHECK(other.take() == "/ahead");
}

TEST_CASE("dispatcher: an answer that was complete when its worker died is delivered",
          "[dispatcher]") {
  Fixture f;
  PlayedWorker& dies = f.add_worker();
  f.front.request("/1");
  f.dispatcher.run_turn();
  REQUIRE(dies.take() == "/1");
  dies.answer();
  f.dispatcher.worker_exited(1);
  CHECK(f.front.completed == 1);
  CHECK(f.front.text == "Status: 200 OK\r\n\r\n");
}

TEST_CASE("dispatcher: a new generation takes everything that no thread has", "[dispatcher]") {
  Fixture f;
  PlayedWorker& old = f.add_worker(1);
  f.front.request("/running");
  f.front.request("/ahead");
  f.dispatcher.run_turn();
  REQUIRE(old.take() == "/running");
  PlayedWorker& young = f.add_worker(2);
  f.dispatcher.take_over(2);
  f.dispatcher.run_turn();
  CHECK(old.take().empty());
  CHECK(young.take() == "/ahead");
  CHECK(!old.ends.worker->stopping());
  old.answer();
  f.dispatcher.run_turn();
  CHECK(f.front.completed == 1);
  CHECK(old.ends.worker->stopping());  // idle, so it may end
}

TEST_CASE("dispatcher: a full queue answers 503 and counts what was handed ahead", "[dispatcher]") {
  Fixture f;
  f.pool.max_queue = 2;
  f.add_worker();
  for (int i = 0; i < 4; ++i) {
    f.front.request("/x");
    f.dispatcher.run_turn();
  }
  CHECK(f.front.completed == 1);
  CHECK(f.front.text.find("503") != std::string::npos);
  CHECK(f.front.text.find("Retry-After: ") != std::string::npos);
}

TEST_CASE("dispatcher: a worker that writes nonsense is reported and answers 502", "[dispatcher]") {
  Fixture f;
  PlayedWorker& liar = f.add_worker();
  f.front.request("/x");
  f.dispatcher.run_turn();
  REQUIRE(liar.take() == "/x");
  liar.ends.write(liar.slot, pyhost::BlockType::body, "a body without a head");
  f.dispatcher.run_turn();
  CHECK(f.violated == std::vector<std::uint32_t>{1});
  CHECK(f.front.text.find("502") != std::string::npos);
}

TEST_CASE("dispatcher: a worker is worn after its last request, and said to be so once",
          "[dispatcher]") {
  Fixture f;
  PlayedWorker& worker = f.add_worker(1, 2);
  for (int i = 0; i < 4; ++i) {
    CHECK(f.worn.size() == (i < 2 ? 0 : 1));
    f.front.request("/x");
    f.dispatcher.run_turn();
    REQUIRE(worker.take() == "/x");
    worker.answer();
    f.dispatcher.run_turn();
  }
  CHECK(f.worn == std::vector<std::string>{"replaced after 2 requests (option \"max-requests\")"});
  CHECK(f.front.completed == 4);
}

TEST_CASE("dispatcher: a retired worker finishes, and another takes what it had not begun",
          "[dispatcher]") {
  Fixture f;
  PlayedWorker& old = f.add_worker();
  f.front.request("/running");
  f.front.request("/ahead");
  f.dispatcher.run_turn();
  REQUIRE(old.take() == "/running");
  PlayedWorker& young = f.add_worker();
  f.dispatcher.retire(1);
  f.front.request("/new");
  f.dispatcher.run_turn();
  CHECK(young.take() == "/ahead");
  CHECK(young.take() == "/new");
  CHECK_FALSE(old.ends.worker->stopping());
  old.answer();
  f.dispatcher.run_turn();
  CHECK(f.front.completed == 1);
  CHECK(old.ends.worker->stopping());
}

TEST_CASE("worker: max-requests-jitter spreads the ends", "[dispatcher]") {
  pycgid::PoolSettings pool;
  pool.max_requests_jitter = 10;
  CHECK(pycgid::requests_until_worn(pool) == 0);
  pool.max_requests = 100;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(pycgid::requests_until_worn(pool));
  CHECK(*seen.begin() == 100);
  CHECK(*seen.rbegin() == 110);
  CHECK(seen.size() == 11);
}

TEST_CASE("warm-up: a worker serves when it has answered all of its requests", "[dispatcher]") {
  Fixture f;
  f.pool.warmup = {"/one?a=1", "/two"};
  PlayedWorker& worker = f.warm_up();
  f.front.request("/other");
  f.dispatcher.run_turn();
  CHECK(worker.take() == "/one?a=1");
  CHECK(worker.take().empty());
  worker.answer("404 Not Found");
  f.dispatcher.run_turn();
  CHECK(worker.take() == "/two");
  CHECK(f.told.empty());
  worker.answer("499 Odd");
  f.dispatcher.run_turn();
  CHECK(f.told == std::vector{pycgid::MessageType::worker_warm});
  CHECK(worker.take() == "/other");
}

TEST_CASE("warm-up: an answer of 500 or more, or a broken one, fails it", "[dispatcher]") {
  Fixture f;
  f.pool.warmup = {"/one", "/two"};
  PlayedWorker& worker = f.warm_up();
  f.front.request("/other");
  REQUIRE(worker.take() == "/one");
  SECTION("500") {
    worker.answer("500 Oh");
    f.dispatcher.run_turn();
    CHECK(f.reason == "warm-up request \"/one\" was answered 500 (option \"warmup\")");
  }
  SECTION("the application fails before its head") {
    worker.ends.end(worker.slot, pyhost::EndKind::failed);
    f.dispatcher.run_turn();
    CHECK(f.reason == "warm-up request \"/one\" was answered 500 (option \"warmup\")");
  }
  SECTION("the application fails in the middle") {
    worker.ends.write(worker.slot, pyhost::BlockType::head, "Status: 200 OK\r\n\r\n");
    worker.ends.write(worker.slot, pyhost::BlockType::body, "begun");
    f.dispatcher.run_turn();
    worker.ends.end(worker.slot, pyhost::EndKind::failed);
    f.dispatcher.run_turn();
    CHECK(f.reason == "warm-up request \"/one\" was not answered to its end (option \"warmup\")");
  }
  CHECK(f.told == std::vector{pycgid::MessageType::warmup_failed});
  f.dispatcher.run_turn();
  CHECK(worker.take().empty());
}

TEST_CASE("warm-up: its request stays with its worker", "[dispatcher]") {
  Fixture f;
  PlayedWorker& idle = f.add_worker();
  f.pool.warmup = {"/one"};
  PlayedWorker& worker = f.warm_up();
  f.front.request("/other");
  f.dispatcher.take_over(1);
  f.dispatcher.run_turn();
  CHECK(idle.take() == "/other");
  CHECK(idle.take().empty());
  CHECK(worker.take() == "/one");
}
