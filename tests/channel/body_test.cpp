// The body ring, both ends in one thread.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <array>

using namespace pyhost;
using namespace channel_test;

namespace {

using BodyState = WorkerEnd::BodyState;
constexpr std::uint32_t kRing = 256;

struct Streamed : Ends {
  Streamed() : Ends({1, 64, kRing, kRing}) {
    submit(*gateway, 0, "", {0, BodyMode::ring, kUnknownLength});
    REQUIRE(Intake(*worker).try_take());
  }
  std::string read(std::size_t most) {
    std::string bytes(most, '\0');
    bytes.resize(worker->read_body(0, bytes));
    return bytes;
  }
  bool take_ready() {
    GatewayEnd::ReadySet ready;
    return gateway->take_ready(ready);
  }
};

}  // namespace

TEST_CASE("body: every length wraps at every offset", "[channel]") {
  Streamed streamed;
  bool same = true;
  for (std::size_t length = 1; length <= kRing; ++length) {
    // kRing times an odd or even length: positions pass every offset of the ring.
    for (std::uint32_t round = 0; round < 64; ++round) {
      const std::string bytes = pattern(length, round + 1);
      same = same && streamed.gateway->write_body(0, bytes) == length;
      same = same && streamed.read(round + 1) + streamed.read(kRing) == bytes;
    }
  }
  CHECK(same);
}

TEST_CASE("body: takes what fits", "[channel]") {
  Streamed streamed;
  const std::string bytes = pattern(kRing + 10);
  CHECK(streamed.gateway->write_body(0, bytes) == kRing);
  CHECK(streamed.gateway->write_body(0, bytes) == 0);
  CHECK(streamed.read(100) == bytes.substr(0, 100));
  CHECK(streamed.gateway->write_body(0, bytes) == 100);
}

TEST_CASE("body: ends only when all has been read", "[channel]") {
  Streamed streamed;
  CHECK(streamed.worker->body_state(0) == BodyState::more);
  CHECK(streamed.gateway->write_body(0, "ab") == 2);
  streamed.gateway->end_body(0, true);
  CHECK(streamed.worker->body_state(0) == BodyState::more);
  CHECK(streamed.read(10) == "ab");
  CHECK(streamed.worker->body_state(0) == BodyState::end);
  streamed.worker->wait_body(0);
}

TEST_CASE("body: one that broke off says so", "[channel]") {
  Streamed streamed;
  streamed.gateway->end_body(0, false);
  CHECK(streamed.worker->body_state(0) == BodyState::broken);
  streamed.worker->wait_body(0);
}

TEST_CASE("body: a request without one has ended", "[channel]") {
  Ends ends({1, 64, kRing, kRing});
  submit(*ends.gateway, 0, "");
  REQUIRE(Intake(*ends.worker).try_take());
  CHECK(ends.worker->body_state(0) == BodyState::end);
}

TEST_CASE("body: what was written before submit is there", "[channel]") {
  Ends ends({1, 64, kRing, kRing});
  CHECK(ends.gateway->write_body(0, "early") == 5);
  ends.gateway->end_body(0, true);
  submit(*ends.gateway, 0, "", {0, BodyMode::ring, 5});
  REQUIRE(Intake(*ends.worker).try_take());
  CHECK(read_all(*ends.worker, 0) == "early");
}

TEST_CASE("body: the gateway hears of half a ring that was read", "[channel]") {
  Streamed streamed;
  CHECK(streamed.gateway->write_body(0, pattern(kRing)) == kRing);
  CHECK(streamed.read(kRing / 2 - 1).size() == kRing / 2 - 1);
  CHECK(!streamed.take_ready());
  CHECK(streamed.read(1).size() == 1);
  CHECK(streamed.take_ready());
  CHECK(streamed.read(kRing / 2).size() == kRing / 2);
  CHECK(streamed.take_ready());
}

TEST_CASE("body: a head beyond the tail gives no room", "[channel]") {
  Streamed streamed;
  for (const std::uint32_t head : {1U, kRing, 0x8000'0000U, 0xffff'ff00U}) {
    streamed.memory->control(0).body_head.store(head);
    CHECK(streamed.gateway->write_body(0, "x") == 0);
  }
}
