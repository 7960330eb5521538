#include "daemon/gateway/pools.h"

#include "daemon/gateway/worker_end.h"
#include "daemon/handover.h"
#include "daemon/log.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace pycgid {
Pools::Pools(EventLoop& loop, const Settings& global, Dispatcher::TellMaster tell_master)
    : loop_(loop), global_(global), tell_master_(std::move(tell_master)) {}

void Pools::add(std::uint32_t id, PoolSettings settings) {
  const auto tell_master = [this, id](Message message) {
    message.pool = id;
    tell_master_(std::move(message));
  };
  pools_.emplace(id, std::make_unique<Pool>(loop_, global_, std::move(settings), tell_master));
}

Pool* Pools::find(std::uint32_t id) const {
  const auto found = pools_.find(id);
  return found == pools_.end() ? nullptr : found->second.get();
}

// --- messages of the master ---------------------------------------------------------------------

bool Pools::on_message(Message& message) {
  switch (message.type) {
    case MessageType::worker_started:
      add_output(message);
      return true;
    case MessageType::worker_ready:
      add_worker(message);
      return true;
    case MessageType::worker_exited:
      worker_exited(message);
      return true;
    case MessageType::retire:
      retire(message.worker);
      return true;
    case MessageType::cut:
      cut(message.worker);
      return true;
    case MessageType::release_idle:
      if (Pool* pool = find(message.pool)) pool->dispatcher.release_idle();
      return true;
    case MessageType::refuse_waiting:
      if (Pool* pool = find(message.pool)) pool->dispatcher.refuse_waiting();
      return true;
    case MessageType::access_log:
      open_access_log(message);
      return true;
    case MessageType::slow_log:
      open_slow_log(message);
      return true;
    case MessageType::tls:
      if (Pool* pool = find(message.pool)) pool->tls.renew(message);
      return true;
    case MessageType::pool_state:
      if (Pool* pool = find(message.pool)) pool->note_state(message.text);
      return true;
    case MessageType::configure_pool:
      configure(message);
      return true;
    case MessageType::keep_pool:
      if (Pool* pool = find(message.pool)) pool->keep();
      return true;
    case MessageType::pool_ended:
      if (Pool* pool = find(message.pool)) pool->dispatcher.end();
      return true;
    default:
      return false;
  }
}

// A worker without an output does not get so far as to serve: see add_worker.
void Pools::add_output(Message& message) {
  Pool* pool = find(message.pool);
  if (pool == nullptr || message.fds.size() != 2) return;
  const PoolSettings& settings = pool->settings_of(message.generation);
  WorkerInfo info{.id = message.worker,
                  .pool = message.pool,
                  .generation = message.generation,
                  .name = message.text + "[" + std::to_string(message.pid) + "]",
                  .pid = message.pid,
                  .threads = settings.threads,
                  .max_requests = requests_until_worn(settings),
                  .started = loop_.now()};
  auto output = std::make_shared<WorkerOutput>(info.name, std::move(message.fds[0]),
                                               std::move(message.fds[1]), pool->slow_log);
  loop_.on_readable(output->pipe_fd(), [output] { return output->read_pipe(); });
  loop_.on_readable(output->entries_fd(), [output] { return output->read_entries(); });
  outputs_.insert_or_assign(message.worker, std::move(output));
  pool->record.processes[message.worker].info = std::move(info);
}

void Pools::add_worker(Message& message) {
  Pool* pool = find(message.pool);
  if (pool == nullptr) return;
  const auto process = pool->record.processes.find(message.worker);
  if (process == pool->record.processes.end() || message.fds.size() != 3) {
    return accuse(message.worker, "the gateway has no descriptor left for it");
  }
  pyhost::ChannelFds fds{.memory = std::move(message.fds[0]),
                         .bell = std::move(message.fds[1]),
                         .passing = std::move(message.fds[2])};
  std::error_code error;
  auto channel = pyhost::GatewayEnd::open(std::move(fds), error);
  if (!channel) return accuse(message.worker, "its channel can't be opened: " + error.message());
  const WorkerInfo& info = process->second.info;
  const PoolSettings& settings = pool->settings_of(info.generation);
  pool->dispatcher.add_worker(info, std::move(channel), settings);
  process->second.loaded = true;
  if (!settings.warmup.empty()) pool->dispatcher.warm_up(pool->context);
}

void Pools::accuse(std::uint32_t worker, std::string why) const {
  tell_master_({.type = MessageType::worker_violated, .worker = worker, .text = std::move(why)});
}

// Its last words come first.
void Pools::worker_exited(const Message& message) {
  if (const auto output = outputs_.find(message.worker); output != outputs_.end()) {
    output->second->read_rest();
    outputs_.erase(output);
  }
  Pool* pool = find(message.pool);
  log_end(message, pool == nullptr ? Losses() : pool->dispatcher.worker_exited(message.worker));
  if (pool != nullptr) pool->record.processes.erase(message.worker);
}

void Pools::retire(std::uint32_t worker) {
  for (const auto& [id, pool] : pools_) pool->dispatcher.retire(worker);
}

void Pools::cut(std::uint32_t worker) {
  for (const auto& [id, pool] : pools_) pool->dispatcher.cut(worker);
}

void Pools::open_access_log(Message& message) {
  Pool* pool = find(message.pool);
  if (pool != nullptr && !message.fds.empty()) {
    pool->access_log.open(std::move(message.fds.front()));
  }
}

void Pools::open_slow_log(Message& message) {
  Pool* pool = find(message.pool);
  if (pool != nullptr && !message.fds.empty()) {
    pool->slow_log->open(pool->context.pool, std::move(message.fds.front()));
  }
}

void Pools::configure(Message& message) {
  NextSettings next{.generation = message.generation};
  if (message.fds.empty() || !read_pool_settings(message.fds.front(), next.settings)) return;
  auto fd = message.fds.begin() + 1;
  const std::string& access_log = next.settings.access_log;
  const bool is_passed = access_log == "stderr" || names_file(access_log);
  if (is_passed && fd != message.fds.end()) {
    next.access_log = std::move(*fd++);
  }
  if (names_file(next.settings.slow_log) && fd != message.fds.end()) {
    next.slow_log = std::move(*fd);
  }
  const bool is_new = find(message.pool) == nullptr;
  if (is_new) add(message.pool, next.settings);
  Pool& pool = *find(message.pool);
  pool.expect(std::move(next));
  if (is_new) pool.adopt_next();
}

void Pools::bury() {
  std::erase_if(pools_, [](const auto& entry) {
    Pool& pool = *entry.second;
    if (!pool.dispatcher.is_leaving() || pool.listeners > 0) return false;
    if (pool.dispatcher.stats().open_connections > 0) return false;
    pool.dispatcher.retire_all();
    return pool.dispatcher.workers().empty();
  });
}

void Pools::announce_end() {
  for (const auto& [id, pool] : pools_) pool->dispatcher.announce_end();
}

void Pools::retire_all() {
  for (const auto& [id, pool] : pools_) pool->dispatcher.retire_all();
}

// --- the turn -----------------------------------------------------------------------------------

bool Pools::run_turn() {
  bool busy = false;
  for (const auto& [id, pool] : pools_) busy |= pool->dispatcher.run_turn();
  return busy;
}

bool Pools::may_nap() const {
  bool full = false;
  for (const auto& [id, pool] : pools_) {
    const Dispatcher::Pressure pressure = pool->dispatcher.pressure();
    if (pressure == Dispatcher::Pressure::some) return false;
    full |= pressure == Dispatcher::Pressure::full;
  }
  return full;
}

bool Pools::prepare_sleep(bool nap) {
  return std::ranges::all_of(
      pools_, [nap](const auto& entry) { return entry.second->dispatcher.prepare_sleep(nap); });
}

void Pools::woke() {
  for (const auto& [id, pool] : pools_) pool->dispatcher.woke();
}

void Pools::flush_access_logs() {
  for (const auto& [id, pool] : pools_) pool->access_log.flush();
}

}  // namespace pycgid
