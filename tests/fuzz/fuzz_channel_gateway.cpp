// libFuzzer target: the gateway's end of a channel, whose worker is the input. Whatever that writes
// and sends between two calls, the gateway stays within its memory, gets no answer that cannot be,
// and comes back from each call.
#include "tests/fuzz/channel_arena.h"

#include <array>
#include <memory>
#include <string>

namespace {

using namespace pyhost;
using fuzz::Arena;
using fuzz::kSizes;
using fuzz::require;
using fuzz::Script;

class Gateway {
 public:
  Gateway() {
    std::error_code error;
    end_ = GatewayEnd::open(std::move(arena_.pair().gateway), error);
    require(end_ != nullptr, "the gateway opens its end");
  }

  void run(Script script) {
    while (!script.is_over()) step(script);
    for (std::uint32_t slot = 0; slot < kSizes.slots; ++slot) read(slot, 1);
  }

 private:
  void step(Script& script) {
    const std::uint32_t slot = script.below(kSizes.slots);
    switch (script.below(11)) {
      case 0:
        return start(slot, script);
      case 1:
        return write_body(slot, script.half() % 600);
      case 2:
        return read(slot, 1 + script.byte());
      case 3:
        return end(slot);
      case 4:
        return end_->abort(slot);
      case 5:
        return end_->end_body(slot, script.below(2) == 0);
      case 6:
        return sleep(script);
      case 7:
        return Arena::send_file(arena_.pair().worker.passing.get(), script, 1);
      case 8:
        return forge(slot, script);
      default:
        return arena_.scribble(script);
    }
  }

  void start(std::uint32_t slot, Script& script) {
    if (end_->phase(slot) != Phase::free || !end_->can_submit()) return;
    RequestHead head{2, static_cast<BodyMode>(script.below(4)), script.byte() % 32};
    const auto area = end_->request_area(slot);
    require(area.size() == kSizes.request_bytes, "a request's area is of its size");
    area[0] = area[1] = 'p';
    if (head.body == BodyMode::file) end_->pass_file(slot, end_->bell_fd());
    if (script.below(2) == 0) return end_->submit(slot, head);
    end_->post(slot, head);
  }

  void write_body(std::uint32_t slot, std::uint32_t size) {
    arena_.require_only_in(arena_.map().body_ring(slot), [&] {
      const std::size_t taken = end_->write_body(slot, std::string(size, 'b'));
      require(taken <= size && taken <= kSizes.body_bytes, "a body's ring takes what fits");
    });
  }

  void read(std::uint32_t slot, std::size_t bytes) {
    Block block;
    // No more pieces than a ring can hold: a worker that goes on writing must not keep us.
    for (int piece = 0; piece < 16; ++piece) {
      if (end_->peek(slot, block) != GatewayEnd::Peek::block) return;
      check(slot, block);
      if (block.type == BlockType::file) end_->receive_file(slot);
      end_->consume(slot, bytes);
    }
  }

  void check(std::uint32_t slot, const Block& block) const {
    require(!block.bytes.empty(), "a block has bytes");
    switch (block.type) {
      case BlockType::head:
      case BlockType::body:
        // The mapping is not this arena's; where the ring begins is told by what it is asked for.
        require(block.bytes.size() <= kSizes.response_bytes, "a piece is within the ring");
        require(std::string(block.bytes).size() == block.bytes.size(), "all of it can be read");
        return;
      case BlockType::file:
        require(block.bytes.size() <= sizeof(FileRange), "a range is of its size");
        return;
      case BlockType::end:
        require(block.bytes.size() == 1, "an end is of one byte");
        return;
    }
    require(end_->slots() <= slot, "a block is of a known type");
  }

  void end(std::uint32_t slot) {
    if (end_->phase(slot) == Phase::done) return end_->release(slot);
    end_->revoke(slot);
    end_->demand(slot, Demand::cut);
  }

  void sleep(Script& script) {
    GatewayEnd::ReadySet ready;
    end_->take_ready(ready);
    for (std::size_t word = 0; word < ready.size(); ++word) {
      const std::uint64_t real = word == 0 ? (std::uint64_t{1} << kSizes.slots) - 1 : 0;
      require((ready[word] & ~real) == 0, "no slot is ready that does not exist");
    }
    end_->wake();
    require(end_->queue().waiting <= 2 * kMaxSlots, "no more requests wait than were sent");
    const auto kind = static_cast<Sleep>(script.below(4));
    end_->prepare_sleep(kind, script.byte());
    end_->woke();
    end_->wants_successor();
    end_->sleepers();
  }

  // An answer that may be one, as far as its header goes.
  void forge(std::uint32_t slot, Script& script) {
    SlotControl& control = arena_.map().control(slot);
    const std::uint32_t generation = control.state.load() >> 8;
    control.state.store(generation << 8 | (script.byte() % 4));
    const std::uint32_t head = control.response_head.load();
    const auto type = static_cast<BlockType>(script.below(6));
    const Ring ring = arena_.map().response_ring(slot);
    auto* const word = reinterpret_cast<Word*>(ring.at(round_up(head, 4)));
    const std::uint32_t length = script.byte();
    word->store(block_header(type, length));
    control.response_tail.store(round_up(head, 4) + block_bytes(length) - script.below(2) * 4);
    arena_.board().queue_head.store(arena_.board().queue_tail.load() - script.below(3));
    arena_.board().ready[0].fetch_or(std::uint64_t{1} << slot);
  }

  Arena arena_;
  std::unique_ptr<GatewayEnd> end_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Gateway().run(Script(data, size));
  return 0;
}
