// All pools of the master, see pool_set.h.
#include "daemon/master/pool_set.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <utility>

namespace pycgid {
namespace {

bool is_about_workers(MessageType type) {
  switch (type) {
    case MessageType::worker_violated:
    case MessageType::worker_warm:
    case MessageType::warmup_failed:
    case MessageType::worker_worn:
    case MessageType::requests_wait:
    case MessageType::load_report:
    case MessageType::worker_released:
      return true;
    default:
      return false;
  }
}

void tell_pool(ManagedPool& pool, const Message& message, TimePoint now) {
  PoolSupervisor& workers = pool.workers();
  switch (message.type) {
    case MessageType::worker_violated:
      return workers.on_violation(message.worker, message.text);
    case MessageType::worker_warm:
      return workers.on_warm(message.worker, now);
    case MessageType::warmup_failed:
      return workers.on_warmup_failed(message.worker, message.text);
    case MessageType::worker_worn:
      return workers.on_worn(message.worker, message.text, now);
    case MessageType::requests_wait:
      if (pool.id() == message.pool) workers.on_requests_wait(message.count, now);
      return;
    case MessageType::load_report:
      if (pool.id() == message.pool) workers.on_load_report(message.count, now);
      return;
    case MessageType::worker_released:
      return workers.on_released(message.worker, now);
    default:
      return;
  }
}

}  // namespace

ManagedPool& PoolSet::add(PoolConfig config) {
  return *pools_.emplace_back(
      std::make_unique<ManagedPool>(context_, std::move(config), ++last_id_));
}

ManagedPool* PoolSet::find(std::uint32_t id) const {
  const auto found = std::ranges::find(pools_, id, [](const auto& pool) { return pool->id(); });
  return found == pools_.end() ? nullptr : found->get();
}

ManagedPool* PoolSet::find(std::string_view name) const {
  const auto found = std::ranges::find_if(pools_, [name](const auto& pool) {
    return !pool->is_removed() && pool->settings().name == name;
  });
  return found == pools_.end() ? nullptr : found->get();
}

bool PoolSet::have_all_failed() const {
  const auto counts = [](const auto& pool) { return !pool->is_removed(); };
  const auto hopes = [&](const auto& pool) { return counts(pool) && !pool->failure(); };
  return std::ranges::any_of(pools_, counts) && std::ranges::none_of(pools_, hopes);
}

bool PoolSet::can_begin() const {
  const auto is_known = [](const auto& pool) { return !pool->is_looking() && !pool->failure(); };
  return std::ranges::any_of(pools_, is_known) ||
         std::ranges::none_of(pools_, [](const auto& pool) { return pool->is_looking(); });
}

StartupError PoolSet::failure() const {
  const ManagedPool* chosen = nullptr;
  const auto may_pass = [](const StartupError& failure) {
    return failure.status != ExitStatus::configuration && failure.status != ExitStatus::usage;
  };
  for (const auto& pool : pools_) {
    if (pool->is_removed() || !pool->failure()) continue;
    if (chosen == nullptr || (may_pass(*pool->failure()) && !may_pass(*chosen->failure()))) {
      chosen = pool.get();
    }
  }
  for (const auto& pool : pools_) {
    if (pool.get() != chosen && !pool->is_removed() && pool->failure()) pool->tell_failure("");
  }
  StartupError failure = *chosen->failure();
  const auto stays = [](const auto& pool) { return !pool->is_removed(); };
  if (std::ranges::count_if(pools_, stays) > 1) {
    failure.text =
        concat("no pool starts; pool ", in_quotes(chosen->settings().name), ": ", failure.text);
  }
  return failure;
}

bool PoolSet::is_empty() const {
  return std::ranges::all_of(pools_, [](const auto& pool) { return pool->is_removed(); });
}

bool PoolSet::are_all_decided() const {
  return std::ranges::all_of(pools_, [](const auto& pool) { return pool->is_decided(); });
}

bool PoolSet::have_all_ended() const {
  return std::ranges::all_of(pools_, [](const auto& pool) { return pool->is_empty(); });
}

std::vector<ServedPool> PoolSet::served() const {
  std::vector<ServedPool> served;
  for (const auto& pool : pools_) {
    if (!pool->is_removed()) served.push_back({pool->id(), pool->settings()});
  }
  return served;
}

std::vector<ServedSocket> PoolSet::sockets() const {
  std::vector<ServedSocket> sockets;
  for (const auto& pool : pools_) {
    for (BoundSocket& socket : pool->sockets()) sockets.push_back({pool->id(), &socket});
  }
  return sockets;
}

// --- what happens --------------------------------------------------------------------------------

std::vector<int> PoolSet::status_fds() const {
  std::vector<int> fds;
  for (const auto& pool : pools_) {
    for (int fd : pool->fds()) fds.push_back(fd);
  }
  return fds;
}

void PoolSet::on_status_readable(int fd, TimePoint now) {
  for_each("read what a worker says of pool",
           [&](ManagedPool& pool) { pool.on_readable(fd, now); });
}

bool PoolSet::on_message(const Message& message, TimePoint now) {
  if (!is_about_workers(message.type)) return false;
  for (const auto& pool : pools_) tell_pool(*pool, message, now);
  return true;
}

bool PoolSet::owns(pid_t pid) const {
  return std::ranges::any_of(pools_, [pid](const auto& pool) { return pool->owns(pid); });
}

void PoolSet::on_exited(pid_t pid, int wait_status, TimePoint now) {
  for_each("attend to the end of a process of pool",
           [&](ManagedPool& pool) { pool.on_exited(pid, wait_status, now); });
}

std::optional<TimePoint> PoolSet::next_due() const {
  std::optional<TimePoint> next;
  for (const auto& pool : pools_) {
    const std::optional<TimePoint> due = pool->next_due();
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

void PoolSet::on_time(TimePoint now) {
  for_each("do what is due in pool", [&](ManagedPool& pool) { pool.on_time(now); });
}

void PoolSet::tend_sockets() {
  for_each("look at the sockets", [](ManagedPool& pool) {
    if (!pool.is_removed()) pool.tend_sockets();
  });
}

void PoolSet::settle(TimePoint now) {
  for_each("settle pool", [&](ManagedPool& pool) { pool.settle(now); });
  guard_.run("close what is not used any more", [this] { drop_unused(); });
}

void PoolSet::drop_unused() {
  std::vector<const PoolSettings*> used;
  for (const auto& pool : pools_) {
    used.push_back(&pool->settings());
    if (const PoolSettings* next = pool->next_settings()) used.push_back(next);
  }
  context_.logs.keep_only(used);
  std::erase_if(pools_, [](const auto& pool) {
    if (!pool->is_removed() || !pool->is_empty()) return false;
    pool->tell_ended();
    log_info(concat("pool ", in_quotes(pool->settings().name), " has ended"));
    return true;
  });
}

// --- what is done to all -------------------------------------------------------------------------

void PoolSet::boot(TimePoint now) {
  for (const auto& pool : pools_) pool->boot(now);
}

void PoolSet::stop(TimePoint now) {
  for_each("stop pool", [&](ManagedPool& pool) { pool.stop(now); });
}

void PoolSet::kill_all() {
  for_each("end pool", [](ManagedPool& pool) { pool.kill_all(); });
}

void PoolSet::end_exit_hooks() {
  for_each("end the commands of pool", [](ManagedPool& pool) { pool.end_exit_hooks(); });
}

void PoolSet::abandon(TimePoint now) {
  for_each("abandon the workers of pool", [&](ManagedPool& pool) { pool.abandon(now); });
}

void PoolSet::recover(TimePoint now) {
  for_each("recover pool", [&](ManagedPool& pool) {
    if (!pool.is_removed()) pool.recover(now);
  });
}

}  // namespace pycgid
