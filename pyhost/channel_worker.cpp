// The worker's end of the channel: bodies in, answers out, descriptors both ways. Which request
// a thread gets is in channel_intake.cpp.
#include "pyhost/channel.h"
#include "pyhost/internal/channel_files.h"
#include "pyhost/internal/channel_worker_state.h"
#include "pyhost/own_fds.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace pyhost {

std::unique_ptr<WorkerEnd> WorkerEnd::open(ChannelFds fds, std::error_code& error) {
  auto map = ChannelMap::open(fds.memory.get(), error);
  if (!map) return nullptr;
  auto state = std::make_unique<State>(std::move(*map), std::move(fds));
  return std::unique_ptr<WorkerEnd>(new WorkerEnd(std::move(state)));
}

WorkerEnd::WorkerEnd(std::unique_ptr<State> state) : state_(std::move(state)) {}
WorkerEnd::~WorkerEnd() = default;

bool WorkerEnd::stopping() const {
  return state_->stopping();
}
bool WorkerEnd::will_stop() const {
  return state_->stopping() || state_->map.board().farewell.load() != 0;
}
WorkerEnd::Overdue WorkerEnd::wait_overdue() {
  Word& farewell = state_->map.board().farewell;
  std::uint32_t seen = 0;
  while ((seen = farewell.load()) != static_cast<std::uint32_t>(Farewell::overdue)) {
    futex_wait(farewell, seen);
  }
  const State::Moment cut = State::note_now(state_->overdue_since);
  const State::Moment gone = state_->gateway_gone_since.load();
  const bool is_gone = gone != State::kNever;
  return {is_gone, std::chrono::steady_clock::time_point(
                       std::chrono::steady_clock::duration(is_gone ? gone : cut))};
}
bool WorkerEnd::forked() const {
  return state_->fork_guard.forked();
}
bool WorkerEnd::aborted(std::uint32_t slot) const {
  return state_->aborted(slot);
}
bool WorkerEnd::satisfied(std::uint32_t slot) const {
  return state_->satisfied(slot);
}
bool WorkerEnd::runs(std::uint32_t slot, std::uint16_t generation) const {
  // What was read before this was read from the request's memory.
  std::atomic_thread_fence(std::memory_order_acquire);
  return state_->map.control(slot).state.load() == state_word(generation, Phase::taken);
}

// `waiting` is left as it is: it may be another thread's, and a gateway that wakes nobody only
// loses the time for that.
template <class Condition>
void WorkerEnd::State::wait(std::uint32_t slot, Waiting there, Condition enough) {
  while (!enough() && !aborted(slot)) {
    // In this order: the gateway stores, then looks at `waiting`, then changes `signal`.
    const std::uint32_t seen = there.signal.load();
    there.waiting.store(1);
    if (enough() || aborted(slot)) return;
    futex_wait(there.signal, seen);
  }
}

bool WorkerEnd::State::rings_for(Sleep sleep, Occasion occasion) const {
  switch (sleep) {
    case Sleep::awake:
      return false;
    case Sleep::until_answer:
      return occasion != Occasion::end;
    case Sleep::nap:
      return occasion == Occasion::wait ||
             queued() <= map.board().nap_reserve.load(std::memory_order_relaxed);
    case Sleep::until_event:
      break;
  }
  return true;
}

void WorkerEnd::State::mark_ready(std::uint32_t slot, Occasion occasion) {
  Board& board = map.board();
  board.ready[slot / 64].fetch_or(std::uint64_t{1} << slot % 64);
  if (!rings_for(board.gateway_sleeps.load(), occasion)) return;
  if (board.gateway_sleeps.exchange(Sleep::awake) == Sleep::awake) return;
  ring();
}

// A bell that does not ring would let requests hang. The forks of a worker ring nobody.
void WorkerEnd::State::ring() {
  if (!is_ours(bell.get())) {
    if (fork_guard.forked()) return;
    end_without("bell");
  }
  const std::uint64_t one = 1;
  // Only a counter that is about to overflow refuses it, and that one is readable anyway.
  [[maybe_unused]] const ssize_t rung = ::write(bell.get(), &one, sizeof one);
}

// Asked before each use: what has taken its place could be a connection of the application's.
int WorkerEnd::State::passing_fd() {
  if (!is_ours(passing.get()) && !fork_guard.forked()) end_without("passing socket");
  return passing.get();
}

// --- the body ----------------------------------------------------------------------------------

std::size_t WorkerEnd::read_body(std::uint32_t slot, std::span<char> into) {
  WorkerSlot& mine = state_->slots[slot];
  SlotControl& control = state_->map.control(slot);
  const Ring ring = state_->map.body_ring(slot);
  const std::uint32_t there = state_->unread_body(slot);
  if (there > ring.size()) return 0;
  const std::size_t count = std::min<std::size_t>(there, into.size());
  if (count == 0) return 0;
  ring.copy_out(mine.body_head, into.first(count));
  mine.body_head += static_cast<std::uint32_t>(count);
  control.body_head.store(mine.body_head);
  if (mine.body_head - mine.body_reported >= ring.size() / 2) {
    mine.body_reported = mine.body_head;
    state_->mark_ready(slot, State::Occasion::wait);
  }
  return count;
}

WorkerEnd::BodyState WorkerEnd::body_state(std::uint32_t slot) const {
  const SlotControl& control = state_->map.control(slot);
  // The end is stored after the last byte, so it has to be read before the tail.
  const BodyEnd end = control.body_end.load();
  const std::uint32_t unread = state_->unread_body(slot);
  if (unread > state_->map.sizes().body_bytes) return BodyState::broken;
  if (end == BodyEnd::open || unread != 0) return BodyState::more;
  return end == BodyEnd::whole ? BodyState::end : BodyState::broken;
}

void WorkerEnd::wait_body(std::uint32_t slot) {
  WorkerSlot& mine = state_->slots[slot];
  SlotControl& control = state_->map.control(slot);
  const auto something = [&] {
    return control.body_tail.load() != mine.body_head || control.body_end.load() != BodyEnd::open;
  };
  if (something() || aborted(slot)) return;
  mine.body_reported = mine.body_head;
  state_->mark_ready(slot, State::Occasion::wait);
  state_->wait(slot, control.for_body(), something);
}

UniqueFd WorkerEnd::receive_file(std::uint32_t slot) {
  const std::lock_guard lock(state_->files_mutex);
  ArrivedFile& file = state_->arrived[slot];
  const std::uint16_t generation = state_->slots[slot].generation;
  if (!file.fd || file.generation != generation) state_->collect_files();
  return file.generation == generation ? std::move(file.fd) : UniqueFd();
}

void WorkerEnd::State::collect_files() {
  // One for each slot is on its way, and those of requests that were taken back; the rest of a
  // flood stays in the socket.
  for (std::uint32_t limit = 2 * map.queue_entries(); limit > 0; --limit) {
    FileTag tag;
    UniqueFd fd;
    if (!pyhost::receive_file(passing_fd(), tag, fd)) return;
    if (fd && tag.slot < arrived.size()) arrived[tag.slot] = {tag.generation, std::move(fd)};
  }
}

// The gateway took a request back. Its descriptor, sent before the request was submitted, is here
// or in the socket.
void WorkerEnd::State::drop_file(std::uint32_t slot, std::uint16_t generation) {
  const std::lock_guard lock(files_mutex);
  collect_files();
  if (arrived[slot].generation == generation) arrived[slot].fd.reset();
}

// --- the answer --------------------------------------------------------------------------------

std::uint32_t WorkerEnd::State::response_free(std::uint32_t slot) const {
  const std::uint32_t used = slots[slot].response_tail - map.control(slot).response_head.load();
  // More than there is cannot be: the gateway's word is not one.
  return map.sizes().response_bytes - std::min(used, map.sizes().response_bytes);
}

void WorkerEnd::State::put_block(std::uint32_t slot, BlockType type, std::string_view bytes) {
  WorkerSlot& mine = slots[slot];
  const Ring ring = map.response_ring(slot);
  const auto length = static_cast<std::uint32_t>(bytes.size());
  const std::uint32_t header = block_header(type, length);
  ring.copy_in(mine.response_tail, {reinterpret_cast<const char*>(&header), sizeof header});
  ring.copy_in(mine.response_tail + kBlockHeader, bytes);
  mine.response_tail += block_bytes(length);
}

std::size_t WorkerEnd::write(std::uint32_t slot, BlockType type, std::string_view bytes) {
  constexpr std::uint32_t kKept = kEndBlock + kFileBlock + kBlockHeader;
  const std::uint32_t free = state_->response_free(slot);
  if (free <= kKept) return 0;
  const std::uint32_t room = (free - kKept) & ~std::uint32_t{3};
  const std::size_t taken = std::min<std::size_t>(bytes.size(), room);
  if (taken > 0) state_->put_block(slot, type, bytes.substr(0, taken));
  return taken;
}

void WorkerEnd::write_end(std::uint32_t slot, EndKind kind) {
  const auto byte = static_cast<char>(kind);
  if (state_->response_free(slot) >= kEndBlock) {
    state_->put_block(slot, BlockType::end, {&byte, 1});
  }
}

bool WorkerEnd::write_file(std::uint32_t slot, int fd, const FileRange& range) {
  WorkerSlot& mine = state_->slots[slot];
  // Room is kept for one, and the gateway takes regular files only.
  if (mine.file_sent || !is_regular_file(fd)) return false;
  if (state_->response_free(slot) < kFileBlock + kEndBlock) return false;
  if (!send_file(state_->passing_fd(), {slot, mine.generation}, fd)) return false;
  mine.file_sent = true;
  state_->put_block(slot, BlockType::file, {reinterpret_cast<const char*>(&range), sizeof range});
  return true;
}

void WorkerEnd::publish(std::uint32_t slot) {
  WorkerSlot& mine = state_->slots[slot];
  if (mine.response_shown == mine.response_tail) return;
  mine.response_shown = mine.response_tail;
  state_->map.control(slot).response_tail.store(mine.response_tail, std::memory_order_release);
  state_->mark_ready(slot, State::Occasion::answer);
}

void WorkerEnd::wait_room(std::uint32_t slot) {
  constexpr std::uint32_t kKept = kEndBlock + kFileBlock + kBlockHeader;
  if (state_->response_free(slot) >= kKept + 4) return;
  publish(slot);  // what the gateway cannot see it would never consume
  state_->mark_ready(slot, State::Occasion::wait);
  const std::uint32_t half = state_->map.sizes().response_bytes / 2;
  state_->wait(slot, state_->map.control(slot).for_room(),
               [&] { return state_->response_free(slot) >= half || satisfied(slot); });
}

void WorkerEnd::finish(std::uint32_t slot) {
  publish(slot);
  const std::uint32_t done = state_word(state_->slots[slot].generation, Phase::done);
  state_->map.control(slot).state.store(done, std::memory_order_release);
  state_->mark_ready(slot, State::Occasion::end);
}

// Told with a slot's bit, as the gateway looks for these: that nothing has changed in the slot does
// no harm.
void WorkerEnd::ask_for_successor() {
  state_->map.board().wants_successor.store(1);
  state_->mark_ready(0, State::Occasion::wait);
}

void WorkerEnd::watch_gateway() {
  pollfd gateway{state_->passing_fd(), 0, 0};
  while (::poll(&gateway, 1, -1) < 0 && errno == EINTR) {
  }
  State::note_now(state_->gateway_gone_since);
  close();
}

void WorkerEnd::close() {
  state_->closed.store(true);
  state_->map.board().gate.call_all();
  set_farewell(state_->map.board(), Farewell::overdue);
  announce_demand(state_->map.board());
  for (std::uint32_t slot = 0; slot < state_->map.sizes().slots; ++slot) {
    SlotControl& control = state_->map.control(slot);
    for (const Waiting there : {control.for_body(), control.for_room()}) {
      there.signal.fetch_add(1);
      futex_wake(there.signal, kAllSleepers);
    }
  }
}

}  // namespace pyhost
