// Gateway and worker in two processes, as in life. What a kill does to them is in kill_test.cpp.
#include "tests/channel/support.h"
#include "tests/channel/worker_process.h"
#include "tests/unit/catch.h"

#include <sys/wait.h>

using namespace pyhost;
using namespace channel_test;

namespace {

// Sends `body` as room comes, reads the answer as it comes.
Answer round_trip(WorkerPair& pair, std::string_view body, std::size_t limit = ~std::size_t{0}) {
  GatewayEnd& gateway = *pair.gateway;
  const Deadline deadline(std::chrono::seconds(20));
  submit(gateway, 0, "echo", {0, BodyMode::ring, kUnknownLength});
  Answer answer;
  GatewayEnd::ReadySet ready;
  bool ended = false;
  do {
    body.remove_prefix(gateway.write_body(0, body));
    if (body.empty() && !ended) gateway.end_body(0, true);
    ended = body.empty();
    answer.read(gateway, 0, limit);
  } while (gateway.phase(0) != Phase::done && wait_ready(gateway, ready, deadline));
  answer.read(gateway, 0);
  gateway.release(0);
  return answer;
}

}  // namespace

TEST_CASE("processes: bodies of every size come back whole", "[channel]") {
  constexpr std::uint32_t kRing = 64 * 1024;
  WorkerPair pair({1, 4096, kRing, kRing});
  for (const std::size_t size : {0U, 1U, kRing - 1, kRing, kRing + 1, kRing * 50 + 7}) {
    const std::string body = pattern(size, static_cast<std::uint32_t>(size));
    const Answer answer = round_trip(pair, body);
    CHECK(answer.head == "Status: 200 OK\r\n\r\n");
    CHECK(answer.end == EndKind::complete);
    CHECK(answer.body.size() == body.size());
    CHECK((answer.body == body));
  }
}

TEST_CASE("processes: small rings and small bites", "[channel]") {
  WorkerPair pair({1, 64, 256, 256});
  for (const std::size_t limit : {1U, 3U, 100U}) {
    const std::string body = pattern(30'011);
    CHECK((round_trip(pair, body, limit).body == body));
  }
}

TEST_CASE("processes: a worker waits for a slow reader and loses nothing", "[channel]") {
  WorkerPair pair;
  GatewayEnd& gateway = *pair.gateway;
  const Deadline deadline(std::chrono::seconds(20));
  submit(gateway, 0, "50000");
  Random random(7);
  std::string body;
  GatewayEnd::ReadySet ready;
  Block block;
  for (bool ended = false; !ended;) {
    const auto found = gateway.peek(0, block);
    REQUIRE(found != GatewayEnd::Peek::violation);
    if (found == GatewayEnd::Peek::empty) {
      REQUIRE(wait_ready(gateway, ready, deadline));
      continue;
    }
    REQUIRE(block.bytes.size() <= kPairSizes.response_bytes);
    const std::string_view bite = block.bytes.substr(0, 1 + random.below(200));
    if (block.type == BlockType::body) body += bite;
    ended = block.type == BlockType::end;
    gateway.consume(0, bite.size());
    // Others are served meanwhile.
    if (body.size() % 16 == 0 && gateway.phase(1) == Phase::free) submit(gateway, 1, "1");
    Answer other;
    other.read(gateway, 1);
    gateway.release(1);
  }
  CHECK((body == pattern(50'000)));
}

TEST_CASE("processes: a worker ends when it is told to stop", "[channel]") {
  WorkerPair pair;
  pair.gateway->stop();
  CHECK(pair.child.wait() == 0);
}

TEST_CASE("processes: a worker ends when the gateway's end is closed", "[channel]") {
  WorkerPair pair;
  submit(*pair.gateway, 0, "echo", {0, BodyMode::ring, kUnknownLength});
  pair.gateway.reset();
  const int status = pair.child.wait();
  CHECK(WIFEXITED(status));
}
