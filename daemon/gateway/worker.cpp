#include "daemon/gateway/worker.h"

#include "daemon/gateway/exchange.h"
#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <bit>
#include <random>
#include <sys/epoll.h>
#include <utility>

namespace pycgid {
namespace {

// A worker whose answer is dropped has been told so, and stops after a ring or two.
constexpr std::size_t kMostDropped = std::size_t{64} << 20;
constexpr std::size_t kMostDroppedPerTurn = std::size_t{1} << 20;

void add_bits(pyhost::GatewayEnd::ReadySet& to, const pyhost::GatewayEnd::ReadySet& more) {
  for (std::size_t word = 0; word < to.size(); ++word) to[word] |= more[word];
}

}  // namespace

std::uint64_t requests_until_worn(const PoolSettings& pool) {
  if (pool.max_requests == 0 || pool.max_requests_jitter == 0) return pool.max_requests;
  std::random_device random;
  return pool.max_requests +
         std::uniform_int_distribution<std::uint64_t>(0, pool.max_requests_jitter)(random);
}

Worker::Worker(WorkerInfo info, std::unique_ptr<pyhost::GatewayEnd> channel,
               const PoolSettings& pool, EventLoop& loop, WorkerOwner& owner)
    : info_(std::move(info)),
      channel_(std::move(channel)),
      pool_(pool),
      loop_(loop),
      owner_(owner),
      slots_(channel_->slots()),
      deadlines_(pool_, channel_->slots(), loop, *this),
      waker_(*channel_, info_.threads, loop),
      hang_up_(*this) {
  // Slots are used from the front, so that few pages of the shared memory are ever touched.
  for (std::uint32_t slot = channel_->slots(); slot > 0; --slot) free_.push_back(slot - 1);
  // Edge-triggered: every ring is an event of its own, and the bell need not be emptied for it.
  loop_.poller().add(channel_->bell_fd(), EPOLLIN | EPOLLET, bell_);
  loop_.nap_poller().add(channel_->bell_fd(), EPOLLIN | EPOLLET, bell_);
  loop_.poller().add(channel_->passing_fd(), EPOLLRDHUP, hang_up_);
}

Worker::~Worker() {
  loop_.poller().remove(channel_->bell_fd());
  loop_.nap_poller().remove(channel_->bell_fd());
  loop_.poller().remove(channel_->passing_fd());
}

void Worker::HangUp::on_events(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)) == 0 || worker_.lost_) return;
  worker_.owner_.worker_hung_up(worker_);
}

unsigned Worker::idle_threads() const {
  if (stands_still_) return 0;
  return active_ < info_.threads ? info_.threads - active_ : 0;
}

unsigned Worker::ahead() const {
  if (stands_still_) return active_;
  return active_ > info_.threads ? active_ - info_.threads : 0;
}

bool Worker::has_room() const {
  if (stands_still_ && active_ > 0) return false;
  return serves() && !free_.empty() && channel_->can_submit();
}

std::vector<const Exchange*> Worker::exchanges() const {
  std::vector<const Exchange*> found;
  for (const Slot& slot : slots_) {
    if (slot.exchange != nullptr) found.push_back(slot.exchange);
  }
  return found;
}

bool Worker::has_begun(std::uint32_t slot) const {
  return channel_->phase(slot) != pyhost::Phase::queued;
}

bool Worker::submit(Exchange& exchange) {
  const std::uint32_t slot = free_.back();
  if (!exchange.submit(*this, slot)) return false;
  free_.pop_back();
  slots_[slot] = {.exchange = &exchange, .busy = true, .untaken = true, .done = false};
  order_.push_back({slot, loop_.now()});
  ++active_;
  wake_due_ = true;
  deadlines_.begin(slot, active_ <= info_.threads);
  return true;
}

void Worker::wake() {
  if (std::exchange(wake_due_, false) && !lost_) waker_.wake();
}

bool Worker::take_back(std::uint32_t slot) {
  if (!slots_[slot].untaken) return false;
  if (!channel_->revoke(slot)) {
    slots_[slot].untaken = false;
    return false;
  }
  slots_[slot] = {};
  deadlines_.end(slot);
  free_.push_back(slot);
  --active_;
  stop_if_idle();
  return true;
}

Exchange* Worker::forget_untaken(std::uint32_t slot) {
  Exchange* exchange = slots_[slot].exchange;
  if (exchange == nullptr || !exchange->can_be_repeated() || !take_back(slot)) return nullptr;
  exchange->taken_back();
  return exchange;
}

Exchange* Worker::take_back_newest() {
  while (!order_.empty()) {
    const std::uint32_t slot = order_.back().slot;
    if (slots_[slot].untaken) {
      Exchange* exchange = forget_untaken(slot);
      if (exchange == nullptr) return nullptr;  // taken meanwhile, and so are all before it
      order_.pop_back();
      return exchange;
    }
    order_.pop_back();
  }
  return nullptr;
}

Exchange* Worker::take_back_older_than(Clock::time_point limit) {
  drop_taken();
  if (order_.empty() || order_.front().when >= limit) return nullptr;
  Exchange* exchange = forget_untaken(order_.front().slot);
  order_.pop_front();
  return exchange;
}

void Worker::drop_taken() {
  while (!order_.empty() && !slots_[order_.front().slot].untaken) order_.pop_front();
}

void Worker::detach(std::uint32_t slot, Leaves what) {
  Slot& entry = slots_[slot];
  entry.exchange = nullptr;
  if (lost_) return;
  if (what != Leaves::read && entry.untaken && take_back(slot)) return;
  if (what == Leaves::enough) channel_->satisfy(slot);
  if (what == Leaves::unwanted) channel_->abort(slot);
  note_progress(slot);
  if (entry.done) release(slot);
}

bool Worker::collect() {
  if (lost_) return false;
  if (const auto why = channel_->nonsense(); !why.empty()) {
    violated(why);
    return true;
  }
  pyhost::GatewayEnd::ReadySet ready{};
  const bool again = std::exchange(any_again_, false);
  if (!channel_->take_ready(ready) && !again) return false;
  if (!leaving_ && channel_->wants_successor()) leave();
  if (again) add_bits(ready, std::exchange(again_, {}));
  for (std::size_t word = 0; word < ready.size(); ++word) {
    for (std::uint64_t bits = ready[word]; bits != 0 && !lost_; bits &= bits - 1) {
      serve(static_cast<std::uint32_t>(word * 64) +
            static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
  }
  return true;
}

void Worker::serve_again(std::uint32_t slot) {
  again_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  any_again_ = true;
}

void Worker::leave() {
  leaving_ = true;
  if (retired_) return;
  log_line(LogLevel::notice, info_.name,
           "was sent TERM: finishes its requests when another worker is ready");
  owner_.worker_worn(*this, "after TERM");
}

void Worker::serve(std::uint32_t slot) {
  if (slot >= slots_.size() || !slots_[slot].busy) return;
  // Read before the answer: what was written before `done` is then seen below.
  note_progress(slot);
  if (slots_[slot].exchange != nullptr) slots_[slot].exchange->ready();
  if (lost_ || !slots_[slot].busy || slots_[slot].exchange != nullptr) return;
  if (slots_[slot].done) return release(slot);
  drop_answer(slot);
}

void Worker::note_progress(std::uint32_t slot) {
  Slot& entry = slots_[slot];
  if (!entry.busy || entry.done) return;
  const pyhost::Phase phase = channel_->phase(slot);
  if (phase != pyhost::Phase::queued) entry.untaken = stands_still_ = false;
  if (phase != pyhost::Phase::done) return;
  entry.done = true;
  deadlines_.end(slot);
  --active_;
  if (++requests_ == info_.max_requests) {
    owner_.worker_worn(*this, concat("after ", requests_, " requests (option \"max-requests\")"));
  }
  if (active_ >= info_.threads) thread_freed();
}

// It goes to the oldest request that was handed ahead.
void Worker::thread_freed() {
  for (const Submitted& submitted : order_) {
    const Slot& slot = slots_[submitted.slot];
    if (slot.untaken && slot.exchange != nullptr && slot.exchange->take_thread()) return;
  }
}

// Drops what is there, up to a limit for each turn. False, and the worker is lost: it writes and
// writes, and would keep the gateway busy with that.
bool Worker::drop_answer(std::uint32_t slot) {
  constexpr std::size_t kBlockCost = 64;
  pyhost::Block block;
  std::size_t dropped = 0;
  while (channel_->peek(slot, block) == pyhost::GatewayEnd::Peek::block) {
    if (block.type == pyhost::BlockType::file) channel_->receive_file(slot);
    channel_->consume(slot, block.bytes.size());
    dropped += block.bytes.size() + kBlockCost;
    if (dropped >= kMostDroppedPerTurn) break;
  }
  if ((slots_[slot].dropped += dropped) >= kMostDropped) {
    violated("it goes on writing an answer that nobody wants");
    return false;
  }
  if (dropped >= kMostDroppedPerTurn) serve_again(slot);
  return true;
}

void Worker::release(std::uint32_t slot) {
  if (!drop_answer(slot)) return;
  channel_->release(slot);
  slots_[slot] = {};
  free_.push_back(slot);
  drop_taken();
  stop_if_idle();
}

// --- requests that run for too long -------------------------------------------------------------

// What is there of the answer is taken first: a request whose end was not seen yet is in time.
DeadlineOwner::Stand Worker::look_at(std::uint32_t slot) {
  if (lost_) return Stand::over;
  serve(slot);
  if (lost_ || !slots_[slot].busy || slots_[slot].done) return Stand::over;
  return slots_[slot].untaken ? Stand::waiting : Stand::running;
}

void Worker::say(LogLevel level, std::uint32_t slot, std::string_view text) const {
  const Exchange* exchange = slots_[slot].exchange;
  if (exchange != nullptr) return exchange->log(level, info_.name, text);
  log_line(level, info_.name, concat("a request that nobody waits for any more: ", text));
}

void Worker::on_slow(std::uint32_t slot) {
  if (Exchange* exchange = slots_[slot].exchange) exchange->was_slow();
  say(LogLevel::warning, slot,
      concat("runs longer than ", duration_text(pool_.slow_request), " (option \"slow-request\")"));
  channel_->demand(slot, pyhost::Demand::stack);
}

void Worker::on_timeout(std::uint32_t slot) {
  cut(slot,
      concat("ran longer than ", duration_text(pool_.request_timeout),
             " (option \"request-timeout\")"),
      pyhost::Demand::timeout);
}

void Worker::cut(std::uint32_t slot, std::string_view why, pyhost::Demand demand) {
  Exchange* exchange = slots_[slot].exchange;
  const std::string_view answer = exchange == nullptr   ? ""
                                  : exchange->started() ? "; its answer is cut"
                                                        : "; answered 504";
  // One that was answered before is nobody's loss.
  const bool lost = exchange != nullptr || demand == pyhost::Demand::timeout;
  say(lost ? LogLevel::error : LogLevel::warning, slot, concat(why, answer));
  // Cut first: what the application does because of that is not to be interrupted.
  if (exchange != nullptr) exchange->timed_out();
  if (slots_[slot].busy && !slots_[slot].done) channel_->demand(slot, demand);
}

// The request itself was answered long ago.
void Worker::on_stuck(std::uint32_t) {
  const std::string why =
      concat("because a request still runs ", duration_text(pool_.stop_timeout),
             " after its timeout (options \"request-timeout\", \"stop-timeout\")");
  log_line(LogLevel::error, info_.name, "to be replaced " + why);
  owner_.worker_worn(*this, why);
}

// --- sleeping -----------------------------------------------------------------------------------

void Worker::note_ended() {
  if (lost_) return;
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) note_progress(slot);
}

bool Worker::prepare_sleep(bool anyone_waits) {
  if (!lost_ && !channel_->nonsense().empty()) return false;  // collect() sees to it
  if (any_again_) return false;
  // Its end, or its replacement, waits for the end of a request.
  const bool awaited = anyone_waits || retired_ || info_.max_requests != 0;
  return channel_->prepare_sleep(awaited ? pyhost::Sleep::until_event
                                         : pyhost::Sleep::until_answer);
}

// Half of what it has to do is left when the nap ends: time to give it more.
bool Worker::prepare_nap() {
  return !any_again_ && channel_->prepare_sleep(pyhost::Sleep::nap, ahead() / 2);
}

void Worker::violated(std::string_view why) {
  owner_.worker_violated(*this, why);
}

void Worker::cut() {
  if (lost_) return;
  channel_->announce_overdue();
  for (std::uint32_t slot = 0; slot < slots_.size() && !lost_; ++slot) {
    if (look_at(slot) == Stand::over) continue;
    deadlines_.end(slot);
    cut(slot,
        concat("not over ", duration_text(pool_.stop_timeout),
               " after its worker was to end (option \"stop-timeout\")"),
        pyhost::Demand::cut);
  }
}

void Worker::retire() {
  retired_ = true;
  announce_end();
  stop_if_idle();
}

void Worker::stop_if_idle() {
  if (retired_ && !lost_ && is_idle()) channel_->stop();
}

std::vector<Exchange*> Worker::abandon_untaken() {
  std::vector<Exchange*> taken_back;
  for (const Submitted& submitted : order_) {
    if (!slots_[submitted.slot].untaken) continue;
    if (Exchange* exchange = forget_untaken(submitted.slot)) taken_back.push_back(exchange);
  }
  order_.clear();
  return taken_back;
}

std::size_t Worker::unwanted() const {
  const auto is_unwanted = [](const Slot& slot) {
    return slot.busy && !slot.untaken && !slot.done && slot.exchange == nullptr;
  };
  return static_cast<std::size_t>(std::ranges::count_if(slots_, is_unwanted));
}

std::vector<Exchange*> Worker::abandon_running() {
  std::vector<Exchange*> running;
  for (Slot& slot : slots_) {
    if (Exchange* exchange = std::exchange(slot.exchange, nullptr)) running.push_back(exchange);
  }
  return running;
}

}  // namespace pycgid
