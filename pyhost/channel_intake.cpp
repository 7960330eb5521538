// How a request thread of a worker gets its work. Why no wake-up is lost: internal/channel_gate.h.
#include "pyhost/channel.h"
#include "pyhost/internal/channel_worker_state.h"

#include <algorithm>
#include <atomic>
#include <string_view>

namespace pyhost {

std::optional<std::uint32_t> WorkerEnd::State::pop() {
  Board& board = map.board();
  std::uint32_t head = board.queue_head.load();
  while (queued_behind(head) != 0) {
    // The gateway writes over an entry only when the head has left it; then the exchange fails.
    const std::uint32_t entry = map.queue_entry(head).load(std::memory_order_relaxed);
    if (board.queue_head.compare_exchange_weak(head, head + 1)) return entry;
  }
  return std::nullopt;
}

bool WorkerEnd::State::claim(std::uint32_t entry) {
  const std::uint32_t slot = entry_slot(entry);
  const std::uint16_t generation = entry_generation(entry);
  if (slot >= slots.size()) return false;
  std::uint32_t queued = state_word(generation, Phase::queued);
  const std::uint32_t taken = state_word(generation, Phase::taken);
  if (map.control(slot).state.compare_exchange_strong(queued, taken)) return true;
  drop_file(slot, generation);
  return false;
}

TakenRequest WorkerEnd::State::begin(std::uint32_t entry) {
  const std::uint32_t slot = entry_slot(entry);
  slots[slot] = WorkerSlot();
  slots[slot].generation = entry_generation(entry);

  TakenRequest request;
  request.slot = slot;
  request.generation = slots[slot].generation;
  RequestHead& head = request.head;
  head = map.control(slot).head;
  // Copied, then judged: the compiler must not read it again.
  std::atomic_signal_fence(std::memory_order_acq_rel);
  const std::string_view area(map.request_area(slot).data(), map.request_area(slot).size());
  request.params = area.substr(0, head.params_bytes);
  if (head.body == BodyMode::inlined) {
    const std::string_view rest = area.substr(request.params.size());
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(head.body_bytes, rest.size()));
    request.inlined_body = rest.substr(0, bytes);
    head.body_bytes = request.inlined_body.size();
  }
  return request;
}

// Each call that finds nobody makes those look again who are about to sleep; more than a few follow
// each other only where `sleepers` is not what threads have written.
void WorkerEnd::State::wake_another() {
  constexpr int kMostCalls = 10'000;
  Gate& gate = map.board().gate;
  for (int calls = 0; calls < kMostCalls && work_waits() && gate.anyone_sleeps(); ++calls) {
    if (gate.call_one()) return;
  }
}

Intake::Intake(WorkerEnd& worker)
    : worker_(worker),
      seat_(1U << std::min(worker.state_->intakes.fetch_add(1, std::memory_order_relaxed), 31U)) {}

std::optional<TakenRequest> Intake::try_take() {
  WorkerEnd::State& state = *worker_.state_;
  if (state.closed.load(std::memory_order_relaxed)) return std::nullopt;
  while (const auto entry = state.pop()) {
    if (!state.claim(*entry)) continue;
    if (at_gate_) state.map.board().gate.leave();
    at_gate_ = false;
    if (state.map.board().few_threads.load() == 0) state.wake_another();
    return state.begin(*entry);
  }
  return std::nullopt;
}

bool Intake::work_waits() const {
  return worker_.state_->work_waits();
}

bool Intake::park() {
  WorkerEnd::State& state = *worker_.state_;
  Gate& gate = state.map.board().gate;
  gate.begin_sleep(seat_);
  if (at_gate_) gate.leave();

  // A thread that a signal woke may run a handler for long; it is not on its way to the queue.
  const std::uint32_t calls = gate.calls();
  at_gate_ = state.work_waits() || state.stopping() ||
             gate.futex_sleep(calls, seat_) != FutexWait::interrupted;
  if (at_gate_) gate.arrive();
  gate.end_sleep(seat_);

  const bool over = state.closed.load() || (state.stopping() && !state.work_waits());
  if (!over) return true;
  if (at_gate_) gate.leave();
  at_gate_ = false;
  return false;
}

}  // namespace pyhost
