// libFuzzer target: the worker's end of a channel, whose gateway is the input: one that was taken
// over by others must not reach into its workers, which are other users'. Whatever it writes and
// sends between two calls, the worker stays within its memory and comes back from each call that is
// not there to wait.
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

class Worker {
 public:
  Worker() {
    std::error_code error;
    end_ = WorkerEnd::open(std::move(arena_.pair().worker), error);
    require(end_ != nullptr, "the worker opens its end");
    intake_ = std::make_unique<Intake>(*end_);
  }

  void run(Script script) {
    while (!script.is_over()) step(script);
  }

 private:
  void step(Script& script) {
    const std::uint32_t slot = script.below(kSizes.slots);
    switch (script.below(11)) {
      case 0:
        return submit(slot, script);
      case 1:
        return take();
      case 2:
        return read_body(slot, script.half() % 600);
      case 3:
        return write(slot, script);
      case 4:
        return write_end(slot, script.below(2) == 0);
      case 5:
        return write_file(slot);
      case 6:
        return ask(slot);
      case 7:
        return Arena::send_file(arena_.pair().gateway.passing.get(), script, 1);
      case 8:
        return end_->finish(slot);
      default:
        return arena_.scribble(script);
    }
  }

  // A request as the gateway sends it, but for its sizes.
  void submit(std::uint32_t slot, Script& script) {
    SlotControl& control = arena_.map().control(slot);
    Board& board = arena_.board();
    control.head = {script.word(), static_cast<BodyMode>(script.below(5)), script.word()};
    control.state.store(state_word(1, Phase::queued));
    arena_.map().queue_entry(board.queue_tail.load()).store(queue_entry(slot, 1));
    board.queue_tail.fetch_add(1);
  }

  void take() {
    intake_->work_waits();
    const auto request = intake_->try_take();
    if (!request) return;
    require(request->slot < kSizes.slots, "a request is in a slot that exists");
    require(request->params.size() + request->inlined_body.size() <= kSizes.request_bytes,
            "a request is within its area");
    std::string all(request->params);
    all += request->inlined_body;
    require(all.size() <= kSizes.request_bytes, "all of it can be read");
  }

  void read_body(std::uint32_t slot, std::uint32_t size) {
    std::string into(size, '\0');
    const std::size_t got = end_->read_body(slot, into);
    require(got <= size && got <= kSizes.body_bytes, "no more is read than a ring holds");
    end_->body_state(slot);
  }

  template <class Change>
  void answer(std::uint32_t slot, Change change) {
    arena_.require_only_in(arena_.map().response_ring(slot), change);
    end_->publish(slot);
  }

  void write(std::uint32_t slot, Script& script) {
    const auto type = static_cast<BlockType>(1 + script.below(2));
    const std::uint32_t size = script.half() % 600;
    answer(slot, [&] {
      const std::size_t taken = end_->write(slot, type, std::string(size, 'a'));
      require(taken <= size && taken <= kSizes.response_bytes, "an answer's ring takes what fits");
    });
  }

  void write_end(std::uint32_t slot, bool whole) {
    answer(slot, [&] { end_->write_end(slot, whole ? EndKind::complete : EndKind::failed); });
  }

  void write_file(std::uint32_t slot) {
    const UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
    answer(slot, [&] { end_->write_file(slot, file.get(), {1, 2}); });
  }

  void ask(std::uint32_t slot) {
    end_->receive_file(slot);
    end_->aborted(slot);
    end_->runs(slot, 1);
    end_->stopping();
    end_->will_stop();
    end_->ask_for_successor();
  }

  Arena arena_;
  std::unique_ptr<WorkerEnd> end_;
  std::unique_ptr<Intake> intake_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Worker().run(Script(data, size));
  return 0;
}
