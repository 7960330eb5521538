// A channel is made, opened and refused; a slot goes through its phases.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr ChannelSizes kSmall{2, 1000, 256, 256};

bool sizes_are_taken(const ChannelSizes& sizes) {
  ChannelPair pair;
  return !create_channel(sizes, pair);
}

}  // namespace

TEST_CASE("channel: sizes that cannot work are refused", "[channel]") {
  CHECK(sizes_are_taken(kSmall));
  CHECK(sizes_are_taken({kMaxSlots, 512 * 1024, 64 * 1024, 128 * 1024}));
  CHECK(!sizes_are_taken({0, 1000, 256, 256}));
  CHECK(!sizes_are_taken({kMaxSlots + 1, 1000, 256, 256}));
  CHECK(!sizes_are_taken({1, 0, 256, 256}));
  CHECK(!sizes_are_taken({1, 1000, 300, 256}));
  CHECK(!sizes_are_taken({1, 1000, 256, 128}));
  CHECK(!sizes_are_taken({1, 1000, 256, 1U << 24}));
}

TEST_CASE("channel: memory neither shrinks nor grows, descriptors are CLOEXEC", "[channel]") {
  const ChannelPair pair = make_channel(kSmall);
  CHECK(::ftruncate(pair.worker.memory.get(), 0) != 0);
  CHECK(::ftruncate(pair.worker.memory.get(), 1 << 30) != 0);
  for (const ChannelFds* side : {&pair.gateway, &pair.worker}) {
    for (const UniqueFd* fd : {&side->memory, &side->bell, &side->passing}) {
      CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
  }
}

TEST_CASE("channel: an idle channel of many slots takes a few pages", "[channel]") {
  ChannelPair pair = make_channel({64, 512 * 1024, 64 * 1024, 128 * 1024});
  const UniqueFd memory(::fcntl(pair.worker.memory.get(), F_DUPFD_CLOEXEC, 0));
  std::error_code error;
  const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
  const auto worker = WorkerEnd::open(std::move(pair.worker), error);
  REQUIRE(worker);
  for (std::uint32_t slot = 0; slot < 64; ++slot) CHECK(gateway->phase(slot) == Phase::free);
  CHECK(!Intake(*worker).try_take());
  struct stat status {};
  REQUIRE(::fstat(memory.get(), &status) == 0);
  CHECK(status.st_size > 40 * 1024 * 1024);
  CHECK(status.st_blocks * 512 <= 32 * 1024);
}

TEST_CASE("channel: a header that does not fit the memory is refused", "[channel]") {
  const std::uint32_t words[] = {0, 8, 16, 20, 24, 28};  // magic, version and the four sizes
  for (const std::uint32_t offset : words) {
    ChannelPair pair = make_channel(kSmall);
    std::uint32_t word = 0;
    REQUIRE(::pread(pair.gateway.memory.get(), &word, sizeof word, offset) == sizeof word);
    word ^= 0x1'0000;
    REQUIRE(::pwrite(pair.gateway.memory.get(), &word, sizeof word, offset) == sizeof word);
    std::error_code error;
    CHECK(GatewayEnd::open(std::move(pair.gateway), error) == nullptr);
    CHECK(error == std::errc::invalid_argument);
  }
}

TEST_CASE("channel: memory that could shrink is refused", "[channel]") {
  ChannelPair pair = make_channel(kSmall);
  struct stat status {};
  REQUIRE(::fstat(pair.gateway.memory.get(), &status) == 0);
  std::string copy(static_cast<std::size_t>(status.st_size), '\0');
  REQUIRE(::pread(pair.gateway.memory.get(), copy.data(), copy.size(), 0) == status.st_size);
  pair.gateway.memory.reset(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(pair.gateway.memory.get(), copy.data(), copy.size()) == status.st_size);
  std::error_code error;
  CHECK(GatewayEnd::open(std::move(pair.gateway), error) == nullptr);
  CHECK(error == std::errc::operation_not_permitted);
}

TEST_CASE("channel: that a worker closes its end is not told as the end of the gateway",
          "[channel]") {
  Ends ends(kSmall);
  ends.gateway->announce_overdue();
  const WorkerEnd::Overdue first = ends.worker->wait_overdue();
  CHECK(!first.gateway_gone);
  ends.worker->close();
  CHECK(ends.worker->stopping());
  CHECK(!ends.worker->wait_overdue().gateway_gone);
  CHECK(ends.worker->wait_overdue().since == first.since);  // one clock for all

  ends.gateway.reset();
  ends.worker->watch_gateway();
  const WorkerEnd::Overdue gone = ends.worker->wait_overdue();
  CHECK(gone.gateway_gone);
  CHECK(gone.since > first.since);
  CHECK(ends.worker->wait_overdue().since == gone.since);
}

TEST_CASE("slot: goes from free over queued, taken and done to free", "[channel]") {
  Ends ends(kSmall);
  GatewayEnd& gateway = *ends.gateway;
  Intake intake(*ends.worker);
  CHECK(gateway.phase(1) == Phase::free);
  CHECK(!intake.work_waits());

  RequestHead head;
  head.body = BodyMode::inlined;
  head.body_bytes = 4;
  std::memcpy(gateway.request_area(1).data() + 6, "body", 4);
  submit(gateway, 1, "params", head);
  CHECK(gateway.phase(1) == Phase::queued);
  CHECK(intake.work_waits());

  const auto request = intake.try_take();
  REQUIRE(request);
  CHECK(request->slot == 1);
  CHECK(request->params == "params");
  CHECK(request->inlined_body == "body");
  CHECK(gateway.phase(1) == Phase::taken);
  CHECK(!intake.try_take());

  gateway.release(1);  // not done yet
  CHECK(gateway.phase(1) == Phase::taken);
  ends.worker->finish(1);
  CHECK(gateway.phase(1) == Phase::done);
  gateway.release(1);
  CHECK(gateway.phase(1) == Phase::free);
}

TEST_CASE("slot: a revoked request is never taken, its next one is", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  submit(*ends.gateway, 0, "first");
  CHECK(ends.gateway->revoke(0));
  CHECK(!ends.gateway->revoke(0));
  CHECK(ends.gateway->phase(0) == Phase::free);
  submit(*ends.gateway, 0, "second");
  const auto request = intake.try_take();
  REQUIRE(request);
  CHECK(request->params == "second");
  CHECK(!intake.try_take());
  CHECK(!ends.gateway->revoke(0));
}

TEST_CASE("slot: a revoked request leaves no place in the queue to its next one", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  submit(*ends.gateway, 0, "revoked");
  CHECK(ends.gateway->revoke(0));
  submit(*ends.gateway, 1, "first");
  submit(*ends.gateway, 0, "second");
  for (const std::string_view params : {"first", "second"}) {
    const auto request = intake.try_take();
    REQUIRE(request);
    CHECK(request->params == params);
  }
}

TEST_CASE("slot: an abort is over with its request", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  submit(*ends.gateway, 0, "");
  REQUIRE(intake.try_take());
  CHECK(!ends.worker->aborted(0));
  ends.gateway->abort(0);
  CHECK(ends.worker->aborted(0));
  ends.worker->wait_body(0);
  ends.worker->finish(0);
  ends.gateway->release(0);
  submit(*ends.gateway, 0, "");
  REQUIRE(intake.try_take());
  CHECK(!ends.worker->aborted(0));
}

TEST_CASE("slot: satisfied is not aborted, and is over with its request", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  submit(*ends.gateway, 0, "", {.body = BodyMode::ring, .body_bytes = 5});
  REQUIRE(intake.try_take());
  REQUIRE(ends.gateway->write_body(0, "begun") == 5);
  CHECK(!ends.worker->satisfied(0));
  ends.gateway->satisfy(0);
  CHECK(ends.worker->satisfied(0));
  CHECK(!ends.worker->aborted(0));
  // What has come of the body is still read; then nobody waits for more.
  CHECK(read_all(*ends.worker, 0) == "begun");
  CHECK(ends.worker->body_state(0) == WorkerEnd::BodyState::broken);
  ends.worker->wait_body(0);
  ends.worker->finish(0);
  ends.gateway->release(0);
  submit(*ends.gateway, 0, "");
  REQUIRE(intake.try_take());
  CHECK(!ends.worker->satisfied(0));
}

TEST_CASE("slot: a body that was whole stays so when its answer satisfies", "[channel]") {
  Ends ends(kSmall);
  submit(*ends.gateway, 0, "", {.body = BodyMode::ring, .body_bytes = 5});
  REQUIRE(Intake(*ends.worker).try_take());
  REQUIRE(ends.gateway->write_body(0, "whole") == 5);
  ends.gateway->end_body(0, true);
  ends.gateway->satisfy(0);
  CHECK(read_all(*ends.worker, 0) == "whole");
  CHECK(ends.worker->body_state(0) == WorkerEnd::BodyState::end);
}

TEST_CASE("slot: requests are taken in the order of their submission", "[channel]") {
  Ends ends({3, 1000, 256, 256});
  Intake intake(*ends.worker);
  for (const std::uint32_t slot : {2U, 0U, 1U}) submit(*ends.gateway, slot, "");
  for (const std::uint32_t slot : {2U, 0U, 1U}) CHECK(intake.try_take()->slot == slot);
}

TEST_CASE("queue: has room until a worker takes nothing any more", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  std::uint32_t submitted = 0;
  for (; ends.gateway->can_submit() && submitted < 100; ++submitted) {
    submit(*ends.gateway, 0, "");
    REQUIRE(ends.gateway->revoke(0));
  }
  CHECK(submitted == ends.memory->queue_entries());
  CHECK(submitted >= 2 * kSmall.slots);
  CHECK(!intake.try_take());
  CHECK(ends.gateway->can_submit());
}

TEST_CASE("queue: entries survive more generations than their numbers count", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  bool all = true;
  for (std::uint32_t round = 0; round < 70'000 && all; ++round) {
    submit(*ends.gateway, 0, {reinterpret_cast<const char*>(&round), sizeof round});
    if (round % 3 == 0) {
      all = ends.gateway->revoke(0) && !intake.try_take();
      continue;
    }
    const auto request = intake.try_take();
    all = request && std::memcmp(request->params.data(), &round, sizeof round) == 0;
    ends.worker->finish(0);
    ends.gateway->release(0);
  }
  CHECK(all);
}

TEST_CASE("slot: what the worker claims about phases is checked against ours", "[channel]") {
  Ends ends(kSmall);
  Word& state = ends.memory->control(0).state;
  state.store(state_word(1, Phase::done));
  CHECK(ends.gateway->phase(0) == Phase::free);
  submit(*ends.gateway, 0, "");
  state.store(0xffff'ffff);
  CHECK(ends.gateway->phase(0) == Phase::taken);
  CHECK(!ends.gateway->revoke(0));
  state.store(state_word(1, Phase::queued));
  CHECK(ends.gateway->phase(0) == Phase::taken);
  state.store(state_word(0, Phase::done));
  CHECK(ends.gateway->phase(0) == Phase::taken);
  state.store(state_word(1, Phase::done));
  CHECK(ends.gateway->phase(0) == Phase::done);
  state.store(0);
  CHECK(ends.gateway->phase(0) == Phase::done);
}
