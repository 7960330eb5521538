// Which request runs where: the dispatcher with real channels, and workers that are played by the
// test.
#include "daemon/gateway/dispatcher.h"

#include "tests/unit/channel_pair.h"

#include <algorithm>
#include <string>

using pycgid::Exchange;

namespace {

class PlayedFront final : public pycgid::ExchangeOwner, public pycgid::ReplyTarget {
 public:
  explicit PlayedFront(const pycgid::ExchangeContext& context) : context_(context) {}

  Exchange& request(const std::string& uri) {
    requests.push_back(std::make_unique<Exchange>(context_, *this, 1, Exchange::Role::responder));
    Exchange& exchange = *requests.back();
    exchange.add_param("REQUEST_METHOD", "GET");
    exchange.add_param("REQUEST_URI", uri);
    exchange.params_ended();
    if (!requests.empty() && requests.back().get() == &exchange) exchange.body_ended();
    return exchange;
  }
  void forget(Exchange& exchange) {
    std::erase_if(requests, [&](const auto& entry) { return entry.get() == &exchange; });
  }

  pycgid::ReplyTarget& target(Exchange&) override { return *this; }
  void complete(Exchange& exchange) override {
    ++completed;
    forget(exchange);
  }
  void cut(Exchange& exchange) override {
    ++cuts;
    forget(exchange);
  }
  void send(std::string_view bytes) override { text.append(bytes); }
  void send_file(std::shared_ptr<pyhost::UniqueFd>, std::uint64_t, std::uint64_t) override {}
  std::uint64_t pending() const override { return 0; }

  std::vector<std::unique_ptr<Exchange>> requests;
  std::string text;
  int completed = 0;
  int cuts = 0;

 private:
  pycgid::ExchangeContext context_;
};

// A worker process, as the other end of its channel.
struct PlayedWorker {
  std::string take() {
    const auto taken = ends.intake->try_take();
    if (!taken) return "";
    slot = taken->slot;
    pyhost::ParamsReader params(taken->params);
    for (std::string_view name, value; params.next(name, value);) {
      if (name == "REQUEST_URI") return std::string(value);
    }
    return "?";
  }
  void answer() {
    ends.write(slot, pyhost::BlockType::head, "Status: 200 OK\r\n\r\n");
    ends.end(slot);
    ends.worker->finish(slot);
  }

  ChannelEnds ends{12};
  std::uint32_t slot = 0;
};

struct Fixture {
  explicit Fixture(unsigned threads = 1) : threads_(threads) {}

  PlayedWorker& add_worker(std::uint32_t generation = 1) {
    workers.push_back(std::make_unique<PlayedWorker>());
    const auto id = static_cast<std::uint32_t>(workers.size());
    dispatcher.add_worker({.id = id,
                           .pool = 0,
                           .generation = generation,
                           .name = "test/" + std::to_string(id),
                           .threads = threads_},
                          std::move(workers.back()->ends.gateway));
    dispatcher.take_over(1);
    return *workers.back();
  }

  unsigned threads_;
  pycgid::EventLoop loop;
  pycgid::Settings settings;
  pycgid::PoolSettings pool;
  std::vector<std::uint32_t> violated;
  std::vector<std::unique_ptr<PlayedWorker>> workers;
  pycgid::Dispatcher dispatcher{
      loop, pool, [this](std::uint32_t id, std::string_view) { violated.push_back(id); }};
  PlayedFront front{{loop, dispatcher, pool, settings}};
};

}  // namespace

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

TEST_CASE("dispatcher: what a lost worker had not begun is run by another", "[dispatcher]") {
  Fixture f;
  PlayedWorker& dies = f.add_worker();
  f.front.request("/running");
  f.front.request("/ahead");
  f.dispatcher.run_turn();
  REQUIRE(dies.take() == "/running");
  PlayedWorker& other = f.add_worker();
  f.dispatcher.worker_exited(1);
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
