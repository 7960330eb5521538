#include "daemon/gateway/dispatcher.h"

#include "daemon/gateway/warmup.h"
#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <utility>

namespace pycgid {
namespace {

// A request that was handed ahead and found no thread for this long goes to a worker that gets on.
constexpr std::chrono::milliseconds kStale{3};
// Naps are for workers that have this many requests ahead, and whose answers come this quickly.
constexpr unsigned kNapAhead = 2;
constexpr std::chrono::microseconds kQuick{300};

// Requests that are named in the line about a worker's end; the access log has them all.
constexpr std::size_t kMostNamed = 16;

std::string random_prefix() {
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "%06x-", std::random_device{}() & 0xffffffU);
  return text.data();
}

}  // namespace

Dispatcher::Dispatcher(EventLoop& loop, const PoolSettings& pool, TellMaster tell_master)
    : loop_(loop),
      pool_(pool),
      tell_master_(std::move(tell_master)),
      notices_(loop, pool),
      peer_notices_(loop, pool),
      watch_(loop, pool, *this, notices_, tell_master_),
      id_prefix_(random_prefix()) {}

Dispatcher::~Dispatcher() {
  queue_.clear();
  // Their requests let go of the workers.
  warm_ups_.clear();
}

std::string Dispatcher::next_request_id() {
  return id_prefix_ + std::to_string(++id_count_);
}

// --- requests -----------------------------------------------------------------------------------

bool Dispatcher::enqueue(Exchange& exchange) {
  if (full()) note_ended();
  if (refusing_ || full()) return false;
  queue_.push_back(exchange);
  ++waiting_;
  exchange.queued();
  return true;
}

void Dispatcher::refuse_all(std::string why) {
  refusing_ = true;
  why_refusing_ = std::move(why);
  refuse_waiting(why_refusing_);
}

void Dispatcher::refuse_waiting(std::string_view why) {
  // Not for ever: those that are answered make room for others.
  for (std::size_t left = waiting_; left > 0 && !queue_.empty(); --left) {
    queue_.front().give_up(Failure::not_started, why);
  }
}

// Whatever has left those that wait alone: the end of the pool or of its start, or each death.
void Dispatcher::refuse_deserted() {
  if (refusing_) return refuse_waiting(why_refusing_);
  if (!ending_ || anyone_serves()) return;
  refuse_waiting(leaving_ ? "the pool was removed" : "the daemon is stopping");
}

void Dispatcher::note_refusal(Failure cause) {
  stats_.count(cause);
  notices_.refused(shortage_of(cause));
  if (cause == Failure::queue_full) watch_.refused();
}

Shortage Dispatcher::shortage_of(Failure cause) const {
  if (cause == Failure::queue_full) return Shortage::queue_full;
  if (cause == Failure::queue_timeout) {
    return anyone_serves() ? Shortage::queue_timeout : Shortage::unserved;
  }
  if (leaving_) return Shortage::removed;
  return ending_ ? Shortage::stopping : Shortage::not_started;
}

// What was handed ahead waits as well, and a request for which a thread is idle does not.
bool Dispatcher::full() const {
  std::size_t ahead = 0;
  std::size_t idle = 0;
  for (const auto& worker : workers_) {
    if (worker->info().generation != generation_ || !worker->has_room()) continue;
    ahead += worker->ahead();
    idle += worker->idle_threads();
  }
  return idle <= waiting_ && waiting_ + ahead >= pool_.max_queue;
}

void Dispatcher::withdraw(Exchange& exchange) {
  if (!exchange.is_linked()) return;
  queue_.erase(queue_.iterator_to(exchange));
  --waiting_;
}

void Dispatcher::requeue(const std::vector<Exchange*>& taken_back) {
  for (auto exchange = taken_back.rbegin(); exchange != taken_back.rend(); ++exchange) {
    queue_.push_front(**exchange);
    ++waiting_;
  }
}

// --- workers ------------------------------------------------------------------------------------

void Dispatcher::add_worker(WorkerInfo info, std::unique_ptr<pyhost::GatewayEnd> channel,
                            const PoolSettings& started_with) {
  workers_.push_back(
      std::make_unique<Worker>(std::move(info), std::move(channel), started_with, loop_, *this));
  if (ending_) workers_.back()->announce_end();
  watch_.workers_changed();
}

void Dispatcher::warm_up(const ExchangeContext& context) {
  workers_.back()->set_open(false);
  warm_ups_.push_back(std::make_unique<WarmUp>(context, *workers_.back()));
}

void Dispatcher::advance_warm_ups() {
  for (const auto& warm_up : warm_ups_) {
    warm_up->advance();
    if (warm_up->over() && !warm_up->worker().lost()) end_warm_up(*warm_up, warm_up->worker());
  }
  std::erase_if(warm_ups_,
                [](const auto& warm_up) { return warm_up->over() || warm_up->worker().lost(); });
}

void Dispatcher::end_warm_up(const WarmUp& warm_up, Worker& worker) {
  const bool warm = warm_up.problem().empty();
  worker.set_open(warm);
  watch_.workers_changed();
  tell_master_({.type = warm ? MessageType::worker_warm : MessageType::warmup_failed,
                .worker = worker.info().id,
                .text = warm_up.problem()});
}

Losses Dispatcher::worker_exited(std::uint32_t id) {
  for (const auto& worker : workers_) {
    if (worker->info().id == id && !worker->lost()) worker_hung_up(*worker);
  }
  const auto losses = losses_.find(id);
  if (losses == losses_.end()) return {};
  Losses found = std::move(losses->second);
  losses_.erase(losses);
  return found;
}

void Dispatcher::take_over(std::uint32_t generation) {
  generation_ = generation;
  refusing_ = false;
  for (const auto& worker : workers_) {
    if (worker->info().generation >= generation || worker->lost()) continue;
    retire(*worker);
  }
  watch_.workers_changed();
}

void Dispatcher::retire(std::uint32_t id) {
  for (const auto& worker : workers_) {
    if (worker->info().id == id && !worker->lost()) retire(*worker);
  }
}

void Dispatcher::cut(std::uint32_t id) {
  for (const auto& worker : workers_) {
    if (worker->info().id != id || worker->lost()) continue;
    retire(*worker);
    worker->cut();
  }
}

void Dispatcher::announce_end() {
  ending_ = true;
  for (const auto& worker : workers_) worker->announce_end();
}

void Dispatcher::leave() {
  leaving_ = true;
  announce_end();
}

// What no thread of it has begun goes to the others.
void Dispatcher::retire(Worker& worker) {
  requeue(worker.abandon_untaken());
  worker.retire();
}

void Dispatcher::retire_all() {
  for (const auto& worker : workers_) {
    if (!worker->lost()) worker->retire();
  }
}

// The youngest: the dispatcher prefers the others when it has the choice.
void Dispatcher::release_idle() {
  if (waiting_ > 0) return;
  const auto is_idle = [this](const auto& worker) {
    return worker->info().generation == generation_ && worker->serves() && worker->is_idle();
  };
  const auto idle = std::find_if(workers_.rbegin(), workers_.rend(), is_idle);
  if (idle == workers_.rend()) return;
  tell_master_({.type = MessageType::worker_released, .worker = (*idle)->info().id});
  (*idle)->retire();
}

void Dispatcher::worker_violated(Worker& worker, std::string_view why) {
  if (worker.lost()) return;
  log_line(LogLevel::error, worker.info().name,
           std::string("is killed: ").append(why).append(" (shared memory)"));
  tell_master_(
      {.type = MessageType::worker_violated, .worker = worker.info().id, .text = std::string(why)});
  bury(worker);
}

void Dispatcher::worker_worn(Worker& worker, std::string_view why) {
  tell_master_({.type = MessageType::worker_worn,
                .worker = worker.info().id,
                .text = "replaced " + std::string(why)});
}

// What it had answered before it ended still counts.
void Dispatcher::worker_hung_up(Worker& worker) {
  worker.collect();
  if (!worker.lost()) bury(worker);
}

// Requests that no thread of it had begun go back to the head of the queue.
void Dispatcher::bury(Worker& worker) {
  requeue(worker.abandon_untaken());
  worker.mark_lost();
  const std::size_t unwanted = worker.unwanted();
  const std::vector<Exchange*> running = worker.abandon_running();
  Losses losses{.lost = running.size()};
  for (std::size_t i = 0; i < running.size(); ++i) {
    const std::string what = running[i]->worker_lost();
    if (i < kMostNamed) losses.text.append(i == 0 ? "" : ", ").append(what);
  }
  const auto add = [&losses](std::size_t count, std::string_view what) {
    if (count > 0) losses.text += concat(losses.text.empty() ? "" : ", ", count, what);
  };
  add(running.size() - std::min(running.size(), kMostNamed), " more");
  add(unwanted, " that had been answered before");
  // Those of option "warmup" are nobody's loss.
  if (worker.is_open()) losses_.emplace(worker.info().id, std::move(losses));
}

// --- the turn -----------------------------------------------------------------------------------

bool Dispatcher::run_turn() {
  bool busy = false;
  for (const auto& worker : workers_) busy |= worker->collect();
  if (busy) between_answers_ = loop_.now() - std::exchange(answered_, loop_.now());
  if (!warm_ups_.empty()) advance_warm_ups();
  refuse_deserted();
  distribute();
  for (const auto& worker : workers_) worker->wake();
  std::erase_if(workers_, [](const auto& worker) { return worker->lost(); });
  return busy;
}

void Dispatcher::note_ended() {
  for (const auto& worker : workers_) worker->note_ended();
}

// Handed ahead or in the queue: a thread that becomes free must be known at once.
bool Dispatcher::anyone_waits() const {
  return waiting_ > 0 || !warm_ups_.empty() ||
         std::ranges::any_of(workers_, [](const auto& worker) { return worker->ahead() > 0; });
}

bool Dispatcher::anyone_serves() const {
  return std::ranges::any_of(workers_, [this](const auto& worker) {
    return worker->info().generation == generation_ && worker->serves();
  });
}

Dispatcher::Pressure Dispatcher::pressure() const {
  bool any = false;
  bool all_ahead = true;
  for (const auto& worker : workers_) {
    any |= worker->active() > 0;
    all_ahead &= worker->ahead() >= kNapAhead;
  }
  if (!any && waiting_ == 0 && warm_ups_.empty()) return Pressure::none;
  const bool quick = between_answers_ < kQuick && loop_.now() - answered_ < kQuick;
  return any && all_ahead && quick && warm_ups_.empty() ? Pressure::full : Pressure::some;
}

bool Dispatcher::prepare_sleep(bool nap) {
  const bool waits = anyone_waits();
  return std::ranges::all_of(workers_, [=](const auto& worker) {
    return nap ? worker->prepare_nap() : worker->prepare_sleep(waits);
  });
}

void Dispatcher::woke() {
  for (const auto& worker : workers_) worker->woke();
}

void Dispatcher::distribute() {
  if (queue_.empty() && !queueing_) return;
  while (Worker* worker = pick_worker()) {
    Exchange* exchange = next_for(*worker);
    if (exchange == nullptr) break;
    worker->submit(*exchange);
  }
  note_load();
}

Load Dispatcher::load() const {
  Load load{.queue = waiting_};
  for (const auto& worker : workers_) {
    if (worker->info().generation != generation_ || !worker->serves()) continue;
    ++load.workers;
    load.threads += worker->info().threads;
    load.active += worker->info().threads - worker->idle_threads();
    load.queue += worker->ahead();
  }
  return load;
}

void Dispatcher::note_load() {
  const Load now = load();
  stats_.max_active = std::max(stats_.max_active, now.active);
  stats_.max_queue = std::max(stats_.max_queue, now.queue);
  if (now.queue > 0 && !queueing_) ++stats_.limit_reached;
  queueing_ = now.queue > 0;
  watch_.note(now);
}

// The one with most idle threads; when none is idle, the one with the fewest requests ahead.
Worker* Dispatcher::pick_worker() const {
  Worker* best = nullptr;
  for (const auto& worker : workers_) {
    if (worker->info().generation != generation_ || !worker->has_room()) continue;
    if (best == nullptr || worker->idle_threads() > best->idle_threads() ||
        (worker->idle_threads() == best->idle_threads() && worker->ahead() < best->ahead())) {
      best = worker.get();
    }
  }
  return best;
}

Exchange* Dispatcher::next_for(const Worker& worker) {
  if (Exchange* stale = stale_elsewhere(worker)) return stale;
  if (!queue_.empty()) {
    Exchange& exchange = queue_.front();
    queue_.pop_front();
    --waiting_;
    return &exchange;
  }
  return worker.idle_threads() > 0 ? ahead_elsewhere(worker) : nullptr;
}

// Looked for once a kStale at most: in a busy pool every request passes here.
Exchange* Dispatcher::stale_elsewhere(const Worker& worker) {
  if (workers_.size() < 2 || loop_.now() - stale_checked_ < kStale) return nullptr;
  for (const auto& other : workers_) {
    if (other.get() == &worker || other->lost()) continue;
    if (Exchange* exchange = other->take_back_older_than(loop_.now() - kStale)) return exchange;
  }
  stale_checked_ = loop_.now();
  return nullptr;
}

Exchange* Dispatcher::ahead_elsewhere(const Worker& worker) {
  for (const auto& other : workers_) {
    if (other.get() == &worker || other->lost() || other->ahead() == 0) continue;
    if (Exchange* exchange = other->take_back_newest()) return exchange;
  }
  return nullptr;
}

}  // namespace pycgid
