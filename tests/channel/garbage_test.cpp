// A worker that writes garbage over all of the shared memory, rings, and sends descriptors, while
// the gateway goes through its paces. The gateway must not hang, nor leave the memory.
#include "pyhost/internal/channel_files.h"
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
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
      std::sscanf(line.c_str(), "%lx-%lx", &first, &last);
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

// The paces against a process that does `mischief` all the time. Returns how many pieces of blocks
// passed for good ones.
int run_paces(const std::function<void(Vandal&)>& mischief) {
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
  const Deadline deadline(hostility());
  while (!deadline.passed()) {
    for (int i = 0; i < 100; ++i) paces.turn();
  }
  CHECK(paces.violations() > 0);
  return paces.blocks();
}

}  // namespace

TEST_CASE("garbage: random words everywhere", "[channel]") {
  run_paces([](Vandal& vandal) { vandal.scribble(); });
}

TEST_CASE("garbage: values that look right at first", "[channel]") {
  CHECK(run_paces([](Vandal& vandal) { vandal.forge(); }) > 0);
}

TEST_CASE("garbage: everything at once", "[channel]") {
  const int blocks = run_paces([](Vandal& vandal) {
    vandal.scribble();
    vandal.forge();
    vandal.disturb();
  });
  CHECK(blocks > 0);
}
