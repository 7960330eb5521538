// The gateway demands something of requests that run for too long.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <future>
#include <thread>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr ChannelSizes kSmall{2, 1000, 256, 256};

TakenRequest run_request(Ends& ends, std::uint32_t slot) {
  submit(*ends.gateway, slot, "p");
  const auto request = Intake(*ends.worker).try_take();
  REQUIRE(request);
  return *request;
}

}  // namespace

TEST_CASE("channel: a demand names the request that it is about", "[channel]") {
  Ends ends(kSmall);
  const TakenRequest request = run_request(ends, 1);
  ends.gateway->demand(1, Demand::stack);
  ends.gateway->demand(1, Demand::timeout);
  const auto demand = ends.worker->wait_demand();
  REQUIRE(demand);
  CHECK(demand->slot == 1);
  CHECK(demand->generation == request.generation);
  CHECK(demand->demand == Demand::timeout);
}

TEST_CASE("channel: a demand does not reach the slot's next request", "[channel]") {
  Ends ends(kSmall);
  const TakenRequest late = run_request(ends, 0);
  ends.gateway->demand(0, Demand::timeout);
  ends.worker->finish(late.slot);
  ends.gateway->release(0);
  const TakenRequest next = run_request(ends, 0);
  CHECK(next.generation != late.generation);
  const TakenRequest other = run_request(ends, 1);
  ends.gateway->demand(1, Demand::stack);
  const auto demand = ends.worker->wait_demand();
  REQUIRE(demand);
  CHECK(demand->slot == 1);
  CHECK(demand->generation == other.generation);
}

TEST_CASE("channel: who waits for demands wakes for one, and when the gateway goes", "[channel]") {
  Ends ends(kSmall);
  run_request(ends, 0);
  auto first = std::async(std::launch::async, [&] { return ends.worker->wait_demand(); });
  ends.gateway->demand(0, Demand::stack);
  REQUIRE(first.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(first.get());
  std::thread watching([&] { ends.worker->watch_gateway(); });
  auto second = std::async(std::launch::async, [&] { return ends.worker->wait_demand(); });
  ends.gateway.reset();
  CHECK(second.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(!second.get());
  watching.join();
}
