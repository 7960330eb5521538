// Replacing workers that have served long enough: the new one is ready before the old one gets no
// more requests. The options are "max-requests", which the gateway counts, "max-rss" and
// "max-lifetime". Part of PoolSupervisor, see pool_supervisor.h.
#include "daemon/log.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/text.h"

#include <algorithm>
#include <chrono>

namespace pycgid {
namespace {

constexpr Milliseconds kMemoryEvery{2000};
// A worker that is worn at birth, by a limit that is too low, must not make the master spin.
constexpr Milliseconds kShortestLife{1000};

}  // namespace

void PoolSupervisor::on_worn(std::uint32_t id, std::string_view why, TimePoint now) {
  const auto worker = std::ranges::find(workers_, id, &WorkerProcess::id);
  if (worker == workers_.end()) return;
  if (may_wear_out(*worker)) return wear_out(*worker, why, now);
  // Its generation does not serve yet, and is waited for.
  if (worker->generation() == candidate_ && worker->state() == WorkerState::ready) {
    worker->wear_out(why);
  }
}

void PoolSupervisor::replace_worn_at_birth(TimePoint now) {
  for (const WorkerProcess& worker : workers_) {
    if (worker.generation() != serving_ || !worker.is_worn()) continue;
    replacements_.push_back({worker.number(), std::max(now, worker.started() + kShortestLife)});
  }
}

bool PoolSupervisor::may_wear_out(const WorkerProcess& worker) const {
  return !stopping_ && worker.state() == WorkerState::ready && worker.generation() == serving_ &&
         !worker.is_worn();
}

void PoolSupervisor::wear_out(WorkerProcess& worker, std::string_view why, TimePoint now) {
  worker.wear_out(why);
  replacements_.push_back({worker.number(), std::max(now, worker.started() + kShortestLife)});
}

// A new worker `number` is ready: the worn one that it was started for ends when it is idle.
void PoolSupervisor::relieve(std::uint32_t number, TimePoint now) {
  for (WorkerProcess& worker : workers_) {
    if (worker.number() != number || worker.generation() != serving_ || !worker.is_worn() ||
        worker.state() != WorkerState::ready) {
      continue;
    }
    tell(MessageType::retire, worker, {});
    retire(worker, now);
    log_line(LogLevel::info, worker.object(), worker.why_worn());
    ++noted_.recycled;
    tell_state();
  }
}

void PoolSupervisor::check_wear(TimePoint now) {
  if (settings_.max_lifetime.count() > 0) {
    for (WorkerProcess& worker : workers_) {
      if (!may_wear_out(worker) || end_of_life(worker) > now) continue;
      const auto age = std::chrono::duration_cast<Milliseconds>(now - worker.started());
      wear_out(worker, concat("replaced after ", duration_text(age), " (option \"max-lifetime\")"),
               now);
    }
  }
  if (settings_.max_rss > 0 && memory_checked_ + kMemoryEvery <= now) check_memory(now);
}

void PoolSupervisor::check_memory(TimePoint now) {
  memory_checked_ = now;
  for (WorkerProcess& worker : workers_) {
    if (!may_wear_out(worker)) continue;
    const std::uint64_t bytes = host_.resident_bytes(worker.pid());
    if (bytes <= settings_.max_rss) continue;
    wear_out(worker,
             concat("replaced because it uses ", bytes >> 20, "M of memory (option \"max-rss\")"),
             now);
  }
}

// Workers that were started together end at different times: their lives differ by up to a tenth.
TimePoint PoolSupervisor::end_of_life(const WorkerProcess& worker) const {
  const auto spread = settings_.max_lifetime / 10 / settings_.processes_max;
  return worker.started() + settings_.max_lifetime - spread * (worker.number() - 1);
}

std::optional<TimePoint> PoolSupervisor::next_wear() const {
  std::optional<TimePoint> next;
  if (!std::ranges::any_of(workers_, [this](const auto& each) { return may_wear_out(each); })) {
    return next;
  }
  if (settings_.max_rss > 0) next = memory_checked_ + kMemoryEvery;
  if (settings_.max_lifetime.count() == 0) return next;
  for (const WorkerProcess& worker : workers_) {
    if (may_wear_out(worker)) next = std::min(next.value_or(TimePoint::max()), end_of_life(worker));
  }
  return next;
}

}  // namespace pycgid
