// A worker that writes garbage over all of the shared memory, rings, and sends descriptors, while
// the gateway goes through its paces. The gateway must not hang, nor leave the memory.
#include "pyhost/internal/channel_files.h"
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <unistd.h>
#include <vector>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr ChannelSizes kSizes{70, 4096, 1024, 1024};

// What a worker does to its channel; one call does one thing.
class Vandal {
 public:
  explicit Vandal(ChannelFds fds) : fds_(std::move(fds)), map_(map_channel(fds_)) { ring(); }

  // Anything anywhere.
  void scribble() {
    auto* const words = reinterpret_cast<Word*>(&map_->board());
    words[random_.below(ChannelLayout(kSizes).total / sizeof(Word))].store(random_.any());
    SlotControl& control = map_->control(random_.below(kSizes.slots));
    reinterpret_cast<Word*>(&control)[random_.below(sizeof control / sizeof(Word))].store(
        random_.any());
  }

  // Values that pass the first checks.
  void forge() {
    const std::uint32_t slot = random_.below(kSizes.slots);
    SlotControl& control = map_->control(slot);
    const std::uint32_t generation = control.state.load() >> 8;
    control.state.store(generation << 8 | random_.below(4));
    const std::uint32_t head = control.response_head.load();
    const auto type = static_cast<BlockType>(random_.below(6));
    const std::uint32_t header = block_header(type, random_.below(64));
    const Ring ring = map_->response_ring(slot);
    reinterpret_cast<Word*>(ring.at(round_up(head, 4)))->store(header);
    control.response_tail.store(round_up(head, 4) + 4 * random_.below(300));
    control.body_head.store(control.body_tail.load() - random_.below(1100));
    map_->board().queue_head.store(map_->board().queue_tail.load() - random_.below(4));
    map_->board().ready[slot / 64].fetch_or(std::uint64_t{1} << slot % 64);
  }

  void disturb() {
    ring();
    map_->board().gateway_sleeps.store(Sleep{random_.below(5)});
    map_->board().gate.call_one();
    send_file(fds_.passing.get(), {random_.below(80), random_.below(8)},
              random_.below(2) == 0 ? fds_.memory.get() : fds_.bell.get());
  }

 private:
  void ring() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t rung = ::write(fds_.bell.get(), &one, sizeof one);
  }

  ChannelFds fds_;
  std::unique_ptr<ChannelMap> map_;
  Random random_{99};
};

// The addresses at which this process has mapped the channel.
struct Mapped {
  std::uintptr_t first = 0;
  std::uintptr_t last = 0;

  Mapped() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("pycgid-channel") == std::string::npos) continue;
      std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &first, &last);
    }
  }
  bool holds(std::string_view bytes) const {
    const auto start = reinterpret_cast<std::uintptr_t>(bytes.data());
    return start >= first && start + bytes.size() <= last;
  }
};

// One slot, everything that a gateway may do with it, without trust.
class Paces {
 public:
  explicit Paces(GatewayEnd& gateway) : gateway_(gateway) {
    for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) start(slot);
  }

  void turn() {
    const std::uint32_t slot = random_.below(gateway_.slots());
    const Phase phase = gateway_.phase(slot);
    if (phase == Phase::free && gateway_.can_submit()) start(slot);
    if (phase == Phase::done) gateway_.release(slot);
    if (random_.below(50) == 0) gateway_.abort(slot);
    if (random_.below(200) == 0) gateway_.revoke(slot);
    REQUIRE(gateway_.write_body(slot, body_) <= kSizes.body_bytes);
    read(slot);
    GatewayEnd::ReadySet ready;
    gateway_.take_ready(ready);
    gateway_.prepare_sleep();
    gateway_.woke();
  }

  int blocks() const { return blocks_; }
  int violations() const { return violations_; }

 private:
  void start(std::uint32_t slot) {
    gateway_.pass_file(slot, gateway_.bell_fd());
    submit(gateway_, slot, "params", {0, BodyMode::ring, kUnknownLength});
  }

  // No more pieces than a ring can hold, or the worker would keep us.
  void read(std::uint32_t slot) {
    Block block;
    for (int piece = 0; piece < 16; ++piece) {
      const auto found = gateway_.peek(slot, block);
      if (found == GatewayEnd::Peek::violation) ++violations_;
      if (found != GatewayEnd::Peek::block) return;
      ++blocks_;
      const bool small = block.type == BlockType::end || block.type == BlockType::file;
      REQUIRE(block.bytes.size() <= (small ? sizeof(FileRange) : kSizes.response_bytes));
      REQUIRE((small || mapped_.holds(block.bytes)));
      REQUIRE(std::string(block.bytes).size() == block.bytes.size());  // reads all of it
      if (block.type == BlockType::file) gateway_.receive_file(slot);
      gateway_.consume(slot, 1 + random_.below(block.bytes.size()));
    }
  }

  GatewayEnd& gateway_;
  Mapped mapped_;
  Random random_{11};
  std::string body_ = std::string(2000, 'x');
  int blocks_ = 0;
  int violations_ = 0;
};

// How long each kind goes on; contrib/check --long has more patience.
std::chrono::milliseconds hostility() {
  const char* const seconds = std::getenv("PYCGID_HOSTILE_SECONDS");
  if (seconds == nullptr) return std::chrono::milliseconds(800);
  return std::chrono::seconds(std::strtol(seconds, nullptr, 10));
}

// The paces against a process that does `mischief` all the time, until `blocks` pieces of blocks
// have passed for good ones, too: a busy machine may take its time for either of the two.
void run_paces(int blocks, const std::function<void(Vandal&)>& mischief) {
  ChannelPair pair = make_channel(kSizes);
  std::error_code error;
  const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
  REQUIRE(gateway);
  Paces paces(*gateway);
  const Child worker([&] {
    Vandal vandal(std::move(pair.worker));
    for (;;) mischief(vandal);
  });
  pair.worker = {};
  pollfd begun{gateway->bell_fd(), POLLIN, 0};
  REQUIRE(::poll(&begun, 1, 10'000) == 1);
  const Deadline enough(hostility());
  const Deadline too_long(hostility() + std::chrono::minutes(1));
  const auto seen_all = [&] {
    return paces.blocks() >= blocks && paces.violations() > 0 && !gateway->nonsense().empty();
  };
  while (!enough.passed() || (!seen_all() && !too_long.passed())) {
    for (int i = 0; i < 100; ++i) paces.turn();
  }
  CHECK(paces.blocks() >= blocks);
  CHECK(paces.violations() > 0);
  CHECK(!gateway->nonsense().empty());
}

}  // namespace

TEST_CASE("garbage: random words everywhere", "[channel]") {
  run_paces(0, [](Vandal& vandal) { vandal.scribble(); });
}

TEST_CASE("garbage: values that look right at first", "[channel]") {
  run_paces(1, [](Vandal& vandal) { vandal.forge(); });
}

TEST_CASE("garbage: everything at once", "[channel]") {
  run_paces(1, [](Vandal& vandal) {
    vandal.scribble();
    vandal.forge();
    vandal.disturb();
  });
}

namespace {

// Both ends, one request in slot 0, taken.
struct Taken {
  Taken() : ends({2, 64, 256, 256}), intake(*ends.worker) {
    submit(*ends.gateway, 0, "", {0, BodyMode::ring, kUnknownLength});
    REQUIRE(intake.try_take());
    REQUIRE(ends.gateway->phase(0) == Phase::taken);
  }
  SlotControl& control() { return ends.memory->control(0); }

  Ends ends;
  Intake intake;
};

}  // namespace

TEST_CASE("garbage: a worker that behaves is not accused", "[channel]") {
  Taken t;
  CHECK(t.ends.gateway->write_body(0, pattern(300)) == 256);
  std::string half(128, ' ');
  CHECK(t.ends.worker->read_body(0, half) == 128);
  CHECK(t.ends.gateway->write_body(0, pattern(300)) == 128);
  end_answer(*t.ends.worker, 0);
  CHECK(t.ends.gateway->phase(0) == Phase::done);
  CHECK(t.ends.gateway->can_submit());
  CHECK(t.ends.gateway->nonsense().empty());
}

TEST_CASE("garbage: a place in the queue that cannot be is seen", "[channel]") {
  for (const std::uint32_t head : {0U, 2U, 77U, ~0U}) {  // 1 is true
    Taken t;
    REQUIRE(t.ends.gateway->queue().taken == 1);
    t.ends.memory->board().queue_head.store(head);
    CHECK(t.ends.gateway->can_submit());
    CHECK(t.ends.gateway->nonsense() == "its place in the queue cannot be");
    CHECK(t.ends.gateway->queue().waiting == 0);
  }
}

TEST_CASE("garbage: a place in a body that cannot be is seen", "[channel]") {
  for (const std::uint32_t head : {101U, 99U, ~0U}) {
    Taken t;
    REQUIRE(t.ends.gateway->write_body(0, pattern(100)) == 100);
    if (head == 99) t.control().body_head.store(100);
    REQUIRE(t.ends.gateway->write_body(0, "x") == 1);
    t.control().body_head.store(head == 101 ? 102 : head);
    CHECK(t.ends.gateway->write_body(0, "x") == 0);
    CHECK(t.ends.gateway->nonsense() == "its place in a body cannot be");
  }
}

TEST_CASE("garbage: a state that cannot be is seen", "[channel]") {
  for (const std::uint32_t word :
       {0U, ~0U, state_word(1, Phase::free), state_word(2, Phase::done)}) {
    Taken t;
    t.control().state.store(word);
    CHECK(t.ends.gateway->phase(0) == Phase::taken);
    CHECK(t.ends.gateway->nonsense() == "the state of a request cannot be");
  }
}

TEST_CASE("garbage: a bell that was made a blocking one does not hold the gateway", "[channel]") {
  ChannelPair pair = make_channel({2, 64, 256, 256});
  REQUIRE(::fcntl(pair.worker.bell.get(), F_SETFL, 0) == 0);
  std::error_code error;
  const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
  REQUIRE(gateway);
  ::alarm(20);  // ends a gateway that hangs
  for (int i = 0; i < 100; ++i) {
    gateway->prepare_sleep();
    gateway->woke();
  }
  ::alarm(0);
}
