// The gateway's end of the channel: requests and bodies out, who owns a slot, and sleeping. Answers
// are read in channel_answer.cpp.
#include "pyhost/channel.h"
#include "pyhost/internal/channel_files.h"
#include "pyhost/internal/channel_gateway_state.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace pyhost {

std::unique_ptr<GatewayEnd> GatewayEnd::open(ChannelFds fds, std::error_code& error) {
  auto map = ChannelMap::open(fds.memory.get(), error);
  if (!map) return nullptr;
  auto state = std::make_unique<State>(std::move(*map), std::move(fds));
  return std::unique_ptr<GatewayEnd>(new GatewayEnd(std::move(state)));
}

GatewayEnd::GatewayEnd(std::unique_ptr<State> state) : state_(std::move(state)) {}
GatewayEnd::~GatewayEnd() = default;

std::uint32_t GatewayEnd::slots() const {
  return state_->map.sizes().slots;
}
int GatewayEnd::bell_fd() const {
  return state_->bell.get();
}
int GatewayEnd::passing_fd() const {
  return state_->passing.get();
}

// --- a request ---------------------------------------------------------------------------------

std::span<char> GatewayEnd::request_area(std::uint32_t slot) {
  return state_->map.request_area(slot);
}

bool GatewayEnd::can_submit() const {
  return state_->queue_tail - state_->taken() < state_->map.queue_entries();
}

std::string_view GatewayEnd::nonsense() const {
  return state_->nonsense;
}

// The head of a ring moves forward, and not beyond its tail.
std::uint32_t GatewayEnd::State::taken() {
  const std::uint32_t said = map.board().queue_head.load();
  if (queue_tail - said > queue_tail - queue_head) {
    nonsense = "its place in the queue cannot be";
  } else {
    queue_head = said;
  }
  return queue_head;
}

void GatewayEnd::post(std::uint32_t slot, const RequestHead& head) {
  GatewaySlot& mine = state_->slots[slot];
  SlotControl& control = state_->map.control(slot);
  Board& board = state_->map.board();

  control.head = head;
  if (head.body != BodyMode::ring) {
    control.body_end.store(BodyEnd::whole, std::memory_order_relaxed);
  }
  mine.phase = Phase::queued;
  control.state.store(state_word(mine.generation, Phase::queued), std::memory_order_release);
  state_->map.queue_entry(state_->queue_tail)
      .store(queue_entry(slot, mine.generation), std::memory_order_relaxed);
  board.queue_tail.store(++state_->queue_tail);
}

void GatewayEnd::wake() {
  Gate& gate = state_->map.board().gate;
  if (gate.anyone_sleeps()) gate.call_one();
}

void GatewayEnd::wake_for_each(bool yes) {
  state_->map.board().few_threads.store(yes ? 0 : 1);
}

std::uint32_t GatewayEnd::sleepers() const {
  return state_->map.board().gate.sleepers();
}

GatewayEnd::Queue GatewayEnd::queue() const {
  const std::uint32_t taken = state_->taken();
  return {taken, state_->queue_tail - taken};
}

bool GatewayEnd::revoke(std::uint32_t slot) {
  GatewaySlot& mine = state_->slots[slot];
  if (mine.phase != Phase::queued) return false;
  std::uint32_t queued = state_word(mine.generation, Phase::queued);
  const std::uint32_t free = state_word(mine.generation, Phase::free);
  if (!state_->map.control(slot).state.compare_exchange_strong(queued, free)) return false;
  state_->become_free(slot);
  return true;
}

bool GatewayEnd::pass_file(std::uint32_t slot, int fd) {
  return send_file(state_->passing.get(), {slot, state_->slots[slot].generation}, fd);
}

// The worker's words are ours to write while the slot is ours; a worker that writes them all the
// same only spoils its own next answer.
void GatewayEnd::State::become_free(std::uint32_t slot) {
  SlotControl& control = map.control(slot);
  control.body_tail.store(0, std::memory_order_relaxed);
  control.body_end.store(BodyEnd::open, std::memory_order_relaxed);
  control.interest.store(Interest::all, std::memory_order_relaxed);
  control.response_head.store(0, std::memory_order_relaxed);
  control.response_tail.store(0, std::memory_order_relaxed);
  control.body_head.store(0, std::memory_order_relaxed);
  control.body_waiting.store(0, std::memory_order_relaxed);
  control.room_waiting.store(0, std::memory_order_relaxed);

  const auto next = static_cast<std::uint16_t>(slots[slot].generation + 1);
  slots[slot] = GatewaySlot();
  slots[slot].generation = next;
}

// --- the body ring -----------------------------------------------------------------------------

std::size_t GatewayEnd::write_body(std::uint32_t slot, std::string_view bytes) {
  GatewaySlot& mine = state_->slots[slot];
  SlotControl& control = state_->map.control(slot);
  const Ring ring = state_->map.body_ring(slot);

  const std::size_t room = ring.size() - state_->unread_body(slot);
  const std::size_t taken = std::min(bytes.size(), room);
  if (taken == 0) return 0;
  ring.copy_in(mine.body_tail, bytes.substr(0, taken));
  mine.body_tail += static_cast<std::uint32_t>(taken);
  control.body_tail.store(mine.body_tail);
  wake_waiting(control.for_body());
  return taken;
}

std::uint32_t GatewayEnd::State::unread_body(std::uint32_t slot) {
  GatewaySlot& mine = slots[slot];
  const std::uint32_t said = map.control(slot).body_head.load(std::memory_order_acquire);
  if (mine.body_tail - said > mine.body_tail - mine.body_head) {
    nonsense = "its place in a body cannot be";
    return map.sizes().body_bytes;
  }
  mine.body_head = said;
  return mine.body_tail - said;
}

void GatewayEnd::end_body(std::uint32_t slot, bool whole) {
  SlotControl& control = state_->map.control(slot);
  control.body_end.store(whole ? BodyEnd::whole : BodyEnd::broken);
  wake_waiting(control.for_body());
}

// --- whose turn it is --------------------------------------------------------------------------

std::uint64_t GatewayEnd::State::real_slots(std::uint32_t word) const {
  const std::uint32_t left = map.sizes().slots - word * 64;
  return left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
}

bool GatewayEnd::take_ready(ReadySet& ready) {
  ready.fill(0);
  std::uint64_t any = 0;
  for (std::uint32_t word = 0; word < state_->map.ready_words(); ++word) {
    ReadyWord& shared = state_->map.board().ready[word];
    if (shared.load(std::memory_order_relaxed) == 0) continue;
    ready[word] = shared.exchange(0) & state_->real_slots(word);
    any |= ready[word];
  }
  return any != 0;
}

Phase GatewayEnd::phase(std::uint32_t slot) const {
  GatewaySlot& mine = state_->slots[slot];
  if (mine.phase == Phase::free || mine.phase == Phase::done) return mine.phase;
  const std::uint32_t said = state_->map.control(slot).state.load(std::memory_order_acquire);
  if (said == state_word(mine.generation, Phase::done)) {
    mine.phase = Phase::done;
  } else if (said != state_word(mine.generation, Phase::queued)) {
    mine.phase = Phase::taken;
    if (said != state_word(mine.generation, Phase::taken)) {
      state_->nonsense = "the state of a request cannot be";
    }
  }
  return mine.phase;
}

void GatewayEnd::abort(std::uint32_t slot) {
  SlotControl& control = state_->map.control(slot);
  state_->slots[slot].unread = true;
  control.interest.store(Interest::none);
  wake_waiting(control.for_body());
  wake_waiting(control.for_room());
}

void GatewayEnd::satisfy(std::uint32_t slot) {
  SlotControl& control = state_->map.control(slot);
  state_->slots[slot].unread = true;
  // Nobody feeds the ring any more; a thread that reads on would wait for ever.
  if (control.body_end.load() == BodyEnd::open) end_body(slot, false);
  control.interest.store(Interest::satisfied);
  wake_waiting(control.for_room());
}

void GatewayEnd::release(std::uint32_t slot) {
  if (phase(slot) != Phase::done) return;
  // An answer that nobody read may have left a descriptor in the socket.
  if (state_->slots[slot].unread) state_->collect_files();
  const std::uint16_t generation = state_->slots[slot].generation;
  state_->map.control(slot).state.store(state_word(generation, Phase::free));
  state_->become_free(slot);
}

void GatewayEnd::announce_end() {
  set_farewell(state_->map.board(), Farewell::ahead);
}

void GatewayEnd::announce_overdue() {
  set_farewell(state_->map.board(), Farewell::overdue);
}

void GatewayEnd::stop() {
  Board& board = state_->map.board();
  board.stopping.store(1);
  board.gate.call_all();
}

bool GatewayEnd::wants_successor() const {
  return state_->map.board().wants_successor.load(std::memory_order_relaxed) != 0;
}

// --- sleeping ----------------------------------------------------------------------------------
//
// The gateway stores `gateway_sleeps`, then looks at the ready bits; a thread of the worker sets
// its bit, then looks at `gateway_sleeps`: one of the two sees the other.

bool GatewayEnd::State::anything_ready() const {
  for (std::uint32_t word = 0; word < map.ready_words(); ++word) {
    if ((map.board().ready[word].load() & real_slots(word)) != 0) return true;
  }
  return false;
}

bool GatewayEnd::prepare_sleep(Sleep sleep, std::uint32_t reserve) {
  state_->asleep = true;
  state_->map.board().nap_reserve.store(reserve, std::memory_order_relaxed);
  state_->map.board().gateway_sleeps.store(sleep);
  if (!state_->anything_ready()) return true;
  woke();
  return false;
}

// Who clears `gateway_sleeps` rings, so mostly the flag saves reading the bell. A ring can come
// after we looked, and is then due. A worker that rings without clearing the flag costs some turns
// of the loop, not all.
void GatewayEnd::woke() {
  constexpr std::uint32_t kTrustedTurns = 16;
  if (std::exchange(state_->asleep, false)) {
    if (state_->map.board().gateway_sleeps.exchange(Sleep::awake) == Sleep::awake) {
      ++state_->rings_due;
    }
  }
  if (state_->rings_due > 0 || ++state_->quiet_wakes % kTrustedTurns == 0) state_->empty_bell();
}

// Without waiting, even if the worker has made its bell, which is ours, a blocking one. By the
// call's number: not every C library has preadv2(2). The two halves of -1 say "no offset".
// Emulators and kernels before 5.8 refuse that for a bell: there a worker that hits the moment
// between the two calls can hold the gateway, until the master replaces it.
long GatewayEnd::State::read_bell(std::uint64_t& rings) const {
  const iovec into{&rings, sizeof rings};
  const long got = ::syscall(SYS_preadv2, bell.get(), &into, 1L, -1L, -1L, RWF_NOWAIT);
  if (got >= 0 || errno == EAGAIN) return got;
  return ::fcntl(bell.get(), F_SETFL, O_NONBLOCK) == 0 ? ::read(bell.get(), &rings, sizeof rings)
                                                       : -1;
}

void GatewayEnd::State::empty_bell() {
  std::uint64_t rings = 0;
  if (read_bell(rings) != long{sizeof rings}) return;
  rings_due -= std::min(rings_due, rings);
}

}  // namespace pyhost
