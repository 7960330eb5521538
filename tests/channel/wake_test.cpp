// Threads of one worker process against one gateway thread: no wake-up is ever lost. All waits
// have a deadline, so a lost one is a failed test and not a hang.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <atomic>
#include <bit>
#include <cstring>
#include <functional>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr int kScale = kSanitized ? 5 : 1;

Deadline soon() {
  return Deadline(std::chrono::seconds(10));
}

// Request threads over a channel, stopped and joined at the end.
class Crew {
 public:
  Crew(Ends& ends, int threads, std::function<void(const TakenRequest&)> answer) : ends_(ends) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, answer] { serve(*ends_.worker, answer); });
    }
  }
  // Also after a failed check: threads that wait in a slot have to come back.
  ~Crew() {
    for (std::uint32_t slot = 0; slot < ends_.gateway->slots(); ++slot) ends_.gateway->abort(slot);
    ends_.gateway->stop();
    for (std::thread& thread : threads_) thread.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

 private:
  Ends& ends_;
  std::vector<std::thread> threads_;
};

// Answers with the request's params.
std::function<void(const TakenRequest&)> echo(Ends& ends) {
  return [&ends](const TakenRequest& request) {
    ends.worker->write(request.slot, BlockType::body, request.params);
    end_answer(*ends.worker, request.slot);
  };
}

// Reads one slot's answer to its end and checks it against what was asked.
bool settle(Ends& ends, std::uint32_t slot, std::string_view asked) {
  Answer answer;
  answer.read(*ends.gateway, slot);
  ends.gateway->release(slot);
  return !answer.violation && answer.end && answer.body == asked;
}

// Keeps `deep` requests under way until `count` are answered; false when one is late or wrong.
bool run_requests(Ends& ends, std::uint32_t deep, int count) {
  GatewayEnd& gateway = *ends.gateway;
  std::vector<std::string> asked(deep);
  int submitted = 0;
  const auto ask = [&](std::uint32_t slot) {
    asked[slot] = std::to_string(submitted++);
    submit(gateway, slot, asked[slot]);
  };
  for (std::uint32_t slot = 0; slot < deep; ++slot) ask(slot);
  for (int answered = 0; answered < count;) {
    GatewayEnd::ReadySet ready;
    if (!wait_ready(gateway, ready, soon())) return false;
    for (std::uint32_t slot = 0; slot < deep; ++slot) {
      if (!is_ready(ready, slot) || gateway.phase(slot) != Phase::done) continue;
      if (!settle(ends, slot, asked[slot])) return false;
      ++answered;
      if (submitted < count) ask(slot);
    }
  }
  return true;
}

}  // namespace

TEST_CASE("wake: many threads, one request at a time", "[channel]") {
  if (!orders_stores_before_loads()) return;
  Ends ends({1, 64, 256, 256});
  const Crew crew(ends, 8, echo(ends));
  CHECK(run_requests(ends, 1, 100'000 / kScale));
}

TEST_CASE("wake: many threads, several requests at a time", "[channel]") {
  if (!orders_stores_before_loads()) return;
  for (const std::uint32_t deep : {2U, 4U, 8U}) {
    Ends ends({deep, 64, 256, 256});
    const Crew crew(ends, 6, echo(ends));
    CHECK(run_requests(ends, deep, 40'000 / kScale));
  }
}

TEST_CASE("wake: one thread, one request at a time", "[channel]") {
  if (!orders_stores_before_loads()) return;
  Ends ends({1, 64, 256, 256});
  const Crew crew(ends, 1, echo(ends));
  CHECK(run_requests(ends, 1, 50'000 / kScale));
}

// The gateway does not sleep here, but submits just when the thread looks at the queue for the last
// time: the order of loads and stores on both sides decides.
TEST_CASE("wake: a request that comes just as the thread falls asleep", "[channel]") {
  if (!orders_stores_before_loads()) return;
  Ends ends({1, 64, 256, 256});
  const Crew crew(ends, 1, [&](const TakenRequest& request) { ends.worker->finish(request.slot); });
  Random random(3);
  for (int round = 0; round < 300'000 / kScale; ++round) {
    ends.gateway->submit(0, {});
    const Deadline deadline = soon();
    while (ends.gateway->phase(0) != Phase::done) {
      if (ends.gateway->phase(0) == Phase::queued) REQUIRE(!deadline.passed());
    }
    ends.gateway->release(0);
    for (std::uint32_t spin = random.below(200); spin > 0; --spin) ends.gateway->phase(0);
  }
}

// Each request keeps its thread until all are taken: somebody has to wake each of the threads.
TEST_CASE("wake: a queued request wakes a thread while the others are busy", "[channel]") {
  if (!orders_stores_before_loads()) return;
  constexpr std::uint32_t kThreads = 4;
  Ends ends({kThreads, 64, 256, 256});
  const Crew crew(ends, kThreads, [&](const TakenRequest& request) {
    read_all(*ends.worker, request.slot);
    end_answer(*ends.worker, request.slot);
  });
  GatewayEnd& gateway = *ends.gateway;
  GatewayEnd::ReadySet ready;
  for (int round = 0; round < 5000 / kScale; ++round) {
    for (std::uint32_t slot = 0; slot < kThreads; ++slot) {
      submit(gateway, slot, "", {0, BodyMode::ring, kUnknownLength});
    }
    std::uint64_t waiting = 0;  // a thread that waits for a body reports itself
    while (std::popcount(waiting) < static_cast<int>(kThreads)) {
      REQUIRE(wait_ready(gateway, ready, soon()));
      waiting |= ready[0];
    }
    for (std::uint32_t slot = 0; slot < kThreads; ++slot) gateway.end_body(slot, true);
    for (std::uint64_t done = 0; std::popcount(done) < static_cast<int>(kThreads);) {
      REQUIRE(wait_ready(gateway, ready, soon()));
      for (std::uint32_t slot = 0; slot < kThreads; ++slot) {
        if (gateway.phase(slot) != Phase::done) continue;
        done |= std::uint64_t{1} << slot;
        gateway.release(slot);
      }
    }
  }
}

TEST_CASE("wake: a request is either revoked or answered", "[channel]") {
  if (!orders_stores_before_loads()) return;
  Ends ends({2, 64, 256, 256});
  std::atomic<int> taken{0};
  const Crew crew(ends, 3, [&](const TakenRequest& request) {
    taken.fetch_add(1);
    echo(ends)(request);
  });
  const int count = 60'000 / kScale;
  int revoked = 0;
  GatewayEnd::ReadySet ready;
  for (int i = 0; i < count; ++i) {
    const auto slot = static_cast<std::uint32_t>(i % 2);
    const std::string asked = std::to_string(i);
    REQUIRE(eventually([&] { return ends.gateway->can_submit(); }));
    submit(*ends.gateway, slot, asked);
    for (int spin = i % 64; spin > 0; --spin) ends.gateway->phase(slot);
    if (ends.gateway->revoke(slot)) {
      ++revoked;
      continue;
    }
    while (ends.gateway->phase(slot) != Phase::done) {
      REQUIRE(wait_ready(*ends.gateway, ready, soon()));
    }
    REQUIRE(settle(ends, slot, asked));
  }
  CHECK(taken + revoked == count);
  CHECK(taken > 0);
  CHECK(revoked > 0);
}

TEST_CASE("wake: a body that drips and an answer that drips", "[channel]") {
  if (!orders_stores_before_loads()) return;
  Ends ends({1, 64, 256, 256});
  const Crew crew(ends, 2, [&](const TakenRequest& request) {
    const std::string body = read_all(*ends.worker, request.slot);
    write_all(*ends.worker, request.slot, BlockType::body, body);
    end_answer(*ends.worker, request.slot);
  });
  const std::string bytes = pattern(20'000 / kScale);
  submit(*ends.gateway, 0, "", {0, BodyMode::ring, bytes.size()});
  for (const char& byte : bytes) {
    REQUIRE(eventually([&] { return ends.gateway->write_body(0, {&byte, 1}) == 1; }));
  }
  ends.gateway->end_body(0, true);
  Answer answer;
  Block block;
  GatewayEnd::ReadySet ready;
  while (answer.body.size() < bytes.size()) {
    while (ends.gateway->peek(0, block) == GatewayEnd::Peek::block &&
           block.type != BlockType::end) {
      answer.body += block.bytes[0];
      ends.gateway->consume(0, 1);
    }
    if (answer.body.size() < bytes.size()) REQUIRE(wait_ready(*ends.gateway, ready, soon()));
  }
  CHECK(answer.body == bytes);
}

// As above, for a thread that waits in its slot.
TEST_CASE("wake: a byte that comes just as its reader falls asleep", "[channel]") {
  if (!orders_stores_before_loads()) return;
  Ends ends({1, 64, 256, 256});
  const Crew crew(ends, 1, [&](const TakenRequest& request) {
    read_all(*ends.worker, request.slot);
    ends.worker->finish(request.slot);
  });
  submit(*ends.gateway, 0, "", {0, BodyMode::ring, kUnknownLength});
  Random random(5);
  for (std::uint32_t sent = 1; sent <= 200'000 / kScale; ++sent) {
    REQUIRE(ends.gateway->write_body(0, "x") == 1);
    const Deadline deadline = soon();
    while (ends.memory->control(0).body_head.load() != sent) REQUIRE(!deadline.passed());
    for (std::uint32_t spin = random.below(200); spin > 0; --spin) ends.gateway->phase(0);
  }
}

TEST_CASE("wake: who waits for room has shown all that fills the ring", "[channel]") {
  if (!orders_stores_before_loads()) return;
  Ends ends({1, 64, 256, 256});
  const std::string bytes = pattern(1000);
  const Crew crew(ends, 1, [&](const TakenRequest& request) {
    for (std::string_view left = bytes; !left.empty() && !ends.worker->aborted(0);) {
      left.remove_prefix(ends.worker->write(0, BlockType::body, left));
      ends.worker->wait_room(0);
    }
    end_answer(*ends.worker, request.slot);
  });
  submit(*ends.gateway, 0, "");
  Answer answer;
  GatewayEnd::ReadySet ready;
  while (!answer.end) {
    REQUIRE(wait_ready(*ends.gateway, ready, soon()));
    answer.read(*ends.gateway, 0);
  }
  CHECK(answer.body == bytes);
}

TEST_CASE("wake: abort ends the waits of a running request", "[channel]") {
  for (const bool for_room : {false, true}) {
    Ends ends({1, 64, 256, 256});
    std::atomic<bool> gave_up{false};
    const Crew crew(ends, 1, [&](const TakenRequest& request) {
      if (for_room) gave_up = !write_all(*ends.worker, 0, BlockType::body, pattern(1000));
      if (!for_room) gave_up = read_all(*ends.worker, 0).empty();
      ends.worker->finish(request.slot);
    });
    submit(*ends.gateway, 0, "", {0, BodyMode::ring, kUnknownLength});
    SlotControl& control = ends.memory->control(0);
    Word& waiting = for_room ? control.room_waiting : control.body_waiting;
    REQUIRE(eventually([&] { return waiting.load() != 0; }));
    ends.gateway->abort(0);
    CHECK(eventually([&] { return ends.gateway->phase(0) == Phase::done; }));
    CHECK(gave_up);
  }
}

TEST_CASE("wake: who waits for room need not wait when the front is satisfied", "[channel]") {
  Ends ends({1, 64, 256, 256});
  std::atomic<bool> satisfied{false};
  const Crew crew(ends, 1, [&](const TakenRequest& request) {
    REQUIRE(ends.worker->write(0, BlockType::body, pattern(1000)) > 0);
    ends.worker->wait_room(0);
    satisfied = ends.worker->satisfied(0) && !ends.worker->aborted(0);
    ends.worker->finish(request.slot);
  });
  submit(*ends.gateway, 0, "");
  REQUIRE(eventually([&] { return ends.memory->control(0).room_waiting.load() != 0; }));
  ends.gateway->satisfy(0);
  CHECK(eventually([&] { return ends.gateway->phase(0) == Phase::done; }));
  CHECK(satisfied);
}

TEST_CASE("wake: stop lets queued requests through, then ends the threads", "[channel]") {
  Ends ends({2, 64, 256, 256});
  submit(*ends.gateway, 0, "");
  submit(*ends.gateway, 1, "");
  ends.gateway->stop();
  CHECK(ends.worker->stopping());
  std::atomic<int> answered{0};
  {
    const Crew crew(ends, 3, [&](const TakenRequest&) { answered.fetch_add(1); });
  }
  CHECK(answered == 2);
}

TEST_CASE("wake: stop reaches threads that sleep", "[channel]") {
  for (int round = 0; round < 300; ++round) {
    Ends ends({1, 64, 256, 256});
    const Crew crew(ends, 3, echo(ends));
    if (round % 2 == 0) {
      REQUIRE(eventually([&] { return ends.memory->board().gate.anyone_sleeps(); }));
    }
  }
}

TEST_CASE("wake: a signal ends a sleep, and does not close the gate", "[channel]") {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  REQUIRE(::sigaction(SIGUSR1, &action, nullptr) == 0);
  Ends ends({1, 64, 256, 256});
  std::atomic<bool> returned{false};
  std::thread sleeper([&] { returned = Intake(*ends.worker).park(); });
  // Again and again: the first one may come before the thread sleeps.
  const bool woken = eventually([&] {
    ::pthread_kill(sleeper.native_handle(), SIGUSR1);
    return returned.load();
  });
  ends.gateway->stop();
  sleeper.join();
  CHECK(woken);
  Gate& gate = ends.memory->board().gate;
  gate.begin_sleep(1);
  CHECK(!gate.call_one());  // with the gate taken it would say that somebody is on the way
}

TEST_CASE("wake: the bell rings only for a gateway that sleeps, and once", "[channel]") {
  Ends ends({2, 64, 256, 256});
  Intake intake(*ends.worker);
  const auto rang = [&] {
    pollfd bell{ends.gateway->bell_fd(), POLLIN, 0};
    return ::poll(&bell, 1, 0) == 1;
  };
  submit(*ends.gateway, 0, "");
  submit(*ends.gateway, 1, "");
  REQUIRE(intake.try_take());
  REQUIRE(intake.try_take());
  ends.worker->finish(0);
  CHECK(!rang());
  CHECK(!ends.gateway->prepare_sleep());
  GatewayEnd::ReadySet ready;
  CHECK(ends.gateway->take_ready(ready));
  CHECK(ends.gateway->prepare_sleep());
  ends.worker->finish(1);
  CHECK(rang());
  ends.gateway->woke();
  CHECK(!rang());
  ends.worker->finish(1);
  CHECK(!rang());
}

TEST_CASE("wake: a worker that rings without need is not heard for ever", "[channel]") {
  ChannelPair pair = make_channel({1, 64, 256, 256});
  std::error_code error;
  const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
  REQUIRE(gateway);
  const std::uint64_t one = 1;
  REQUIRE(::write(pair.worker.bell.get(), &one, sizeof one) == sizeof one);
  int turns = 0;
  pollfd bell{gateway->bell_fd(), POLLIN, 0};
  for (; ::poll(&bell, 1, 0) == 1 && turns < 1000; ++turns) {
    CHECK(gateway->prepare_sleep());
    gateway->woke();
  }
  CHECK(turns <= 16);
}
