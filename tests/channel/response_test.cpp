// The response ring: blocks, pieces, room, and everything a worker could get wrong in it.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <fcntl.h>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr std::uint32_t kRing = 256;

// A request that the worker has taken, in slot 0.
struct Taken : Ends {
  Taken() : Ends({1, 64, kRing, kRing}) {
    submit(*gateway, 0, "");
    REQUIRE(Intake(*worker).try_take());
  }
  // Moves the ring on by 8 bytes that the gateway reads.
  void advance() {
    REQUIRE(worker->write(0, BlockType::body, "x") == 1);
    worker->publish(0);
    Answer skipped;
    skipped.read(*gateway, 0);
    REQUIRE(skipped.body == "x");
  }
};

GatewayEnd::Peek peek(Taken& taken) {
  Block block;
  return taken.gateway->peek(0, block);
}

// What the gateway makes of a header word and a tail that the worker wrote.
GatewayEnd::Peek peek_of(std::uint32_t header, std::uint32_t tail) {
  Taken taken;
  const char* const bytes = reinterpret_cast<const char*>(&header);
  taken.memory->response_ring(0).copy_in(0, {bytes, sizeof header});
  taken.memory->control(0).response_tail.store(tail);
  return peek(taken);
}

}  // namespace

TEST_CASE("response: nothing is seen before publish", "[channel]") {
  Taken taken;
  CHECK(taken.worker->write(0, BlockType::head, "Status: 200 OK\r\n\r\n") == 18);
  CHECK(taken.worker->write(0, BlockType::body, "hello") == 5);
  taken.worker->write_end(0, EndKind::complete);
  CHECK(peek(taken) == GatewayEnd::Peek::empty);
  GatewayEnd::ReadySet ready;
  CHECK(!taken.gateway->take_ready(ready));

  taken.worker->publish(0);
  CHECK(taken.gateway->take_ready(ready));
  CHECK(is_ready(ready, 0));
  CHECK(!taken.gateway->take_ready(ready));
  Answer answer;
  answer.read(*taken.gateway, 0);
  CHECK(answer.head == "Status: 200 OK\r\n\r\n");
  CHECK(answer.body == "hello");
  CHECK(answer.end == EndKind::complete);
}

TEST_CASE("response: blocks of every length wrap at every offset", "[channel]") {
  Taken taken;
  bool same = true;
  for (std::uint32_t step = 0; step < kRing / 4 + 1; ++step) {
    for (std::size_t length = 1; length <= kRing; length += 3) {
      const std::string bytes = pattern(length, step + 1);
      const std::size_t written = taken.worker->write(0, BlockType::body, bytes);
      taken.worker->publish(0);
      Answer answer;
      answer.read(*taken.gateway, 0, 1 + step % 50);
      same = same && written > 0 && answer.body == bytes.substr(0, written);
    }
    REQUIRE(same);
    taken.advance();
  }
}

TEST_CASE("response: the end and a file's range wrap at every offset", "[channel]") {
  for (std::uint32_t step = 0; step < kRing / 8; ++step) {
    Taken taken;
    for (std::uint32_t i = 0; i < step; ++i) taken.advance();
    const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    REQUIRE(taken.worker->write_file(0, file.get(), {7, 1234567890123}));
    taken.worker->write_end(0, EndKind::failed);
    taken.worker->publish(0);
    Answer answer;
    answer.read(*taken.gateway, 0);
    REQUIRE(answer.file);
    CHECK(answer.file->offset == 7);
    CHECK(answer.file->length == 1234567890123);
    CHECK(answer.end == EndKind::failed);
  }
}

TEST_CASE("response: a full ring keeps room for a file and the end", "[channel]") {
  Taken taken;
  const std::string bytes = pattern(2 * kRing);
  const std::size_t written = taken.worker->write(0, BlockType::body, bytes);
  CHECK(written > kRing / 2);
  CHECK(written < kRing);
  CHECK(taken.worker->write(0, BlockType::body, bytes) == 0);
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  CHECK(taken.worker->write_file(0, file.get(), {0, 1}));
  taken.worker->write_end(0, EndKind::complete);
  taken.worker->publish(0);
  Answer answer;
  answer.read(*taken.gateway, 0);
  CHECK(answer.body == bytes.substr(0, written));
  CHECK(answer.file);
  CHECK(answer.end == EndKind::complete);
  CHECK(!answer.violation);
}

TEST_CASE("response: consuming a part gives the rest at the next peek", "[channel]") {
  Taken taken;
  CHECK(taken.worker->write(0, BlockType::body, "abcdef") == 6);
  taken.worker->publish(0);
  Block block;
  REQUIRE(taken.gateway->peek(0, block) == GatewayEnd::Peek::block);
  CHECK(block.bytes == "abcdef");
  taken.gateway->consume(0, 2);
  REQUIRE(taken.gateway->peek(0, block) == GatewayEnd::Peek::block);
  CHECK(block.bytes == "cdef");
  taken.gateway->consume(0, 1000);
  CHECK(taken.gateway->peek(0, block) == GatewayEnd::Peek::empty);
}

TEST_CASE("response: starts anew with each request", "[channel]") {
  Taken taken;
  CHECK(taken.worker->write(0, BlockType::body, "unread") == 6);
  taken.worker->finish(0);
  REQUIRE(taken.gateway->phase(0) == Phase::done);
  taken.gateway->release(0);
  submit(*taken.gateway, 0, "");
  REQUIRE(Intake(*taken.worker).try_take());
  CHECK(peek(taken) == GatewayEnd::Peek::empty);
  CHECK(taken.worker->write(0, BlockType::body, "new") == 3);
  taken.worker->publish(0);
  Answer answer;
  answer.read(*taken.gateway, 0);
  CHECK(answer.body == "new");
}

TEST_CASE("response: nonsense of the worker is a violation", "[channel]") {
  using Peek = GatewayEnd::Peek;
  CHECK(peek_of(block_header(BlockType::body, 4), 8) == Peek::block);
  CHECK(peek_of(block_header(BlockType::body, kRing - 4), kRing) == Peek::block);
  CHECK(peek_of(block_header(BlockType::body, 0), 8) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::body, 5), 8) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::body, kRing - 3), kRing) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::body, 0xff'ffff), kRing) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::body, 4), 7) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::body, 4), kRing + 4) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::body, 4), 0xffff'fffc) == Peek::violation);
  CHECK(peek_of(block_header(BlockType{0}, 4), 8) == Peek::violation);
  CHECK(peek_of(block_header(BlockType{5}, 4), 8) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::end, 2), 8) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::file, 15), 64) == Peek::violation);
  CHECK(peek_of(block_header(BlockType::file, 17), 64) == Peek::violation);
}

TEST_CASE("response: a slot that is free has no answer, whatever the worker writes", "[channel]") {
  Ends ends({1, 64, kRing, kRing});
  ends.memory->control(0).response_tail.store(8);
  Block block;
  CHECK(ends.gateway->peek(0, block) == GatewayEnd::Peek::empty);
}

TEST_CASE("ready: bits beyond the slots are dropped", "[channel]") {
  Ends ends({3, 64, kRing, kRing});
  ends.memory->board().ready[0].store(~std::uint64_t{0} << 3);
  CHECK(ends.gateway->prepare_sleep());
  GatewayEnd::ReadySet ready;
  CHECK(!ends.gateway->take_ready(ready));
  ends.memory->board().ready[0].store(~std::uint64_t{0});
  CHECK(!ends.gateway->prepare_sleep());
  CHECK(ends.gateway->take_ready(ready));
  CHECK(ready[0] == 7);
  CHECK(std::all_of(ready.begin() + 1, ready.end(), [](auto word) { return word == 0; }));
}

TEST_CASE("ready: each of the most slots reports itself", "[channel]") {
  Ends ends({kMaxSlots, 64, kRing, kRing});
  Intake intake(*ends.worker);
  for (std::uint32_t slot = 0; slot < kMaxSlots; ++slot) submit(*ends.gateway, slot, "");
  while (const auto request = intake.try_take()) ends.worker->finish(request->slot);
  GatewayEnd::ReadySet ready;
  REQUIRE(ends.gateway->take_ready(ready));
  CHECK(std::all_of(ready.begin(), ready.end(), [](auto word) { return ~word == 0; }));
}
