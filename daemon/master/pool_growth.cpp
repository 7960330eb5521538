// Pools with `processes = MIN-MAX`: starting more workers when requests wait, ending those that are
// not needed. How many is PoolScaling's affair. Part of PoolSupervisor, see pool_supervisor.h.
#include "daemon/log.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/text.h"

#include <algorithm>

namespace pycgid {

bool PoolSupervisor::may_scale() const {
  return scaling_.is_elastic() && serving_ != 0 && candidate_ == 0 && !stopping_;
}

// A worn worker is its replacement's predecessor, and not counted. One that fails before it was
// ready is, until it is reaped: only then is it known what becomes of those who wait for it.
std::set<std::uint32_t> PoolSupervisor::numbers_in_use() const {
  const auto counts = [this](const WorkerProcess& worker) {
    if (worker.generation() != serving_ || worker.is_worn()) return false;
    return worker.state() <= WorkerState::ready || !worker.was_ready();
  };
  std::set<std::uint32_t> numbers;
  for (const WorkerProcess& worker : workers_) {
    if (counts(worker)) numbers.insert(worker.number());
  }
  for (const Replacement& replacement : replacements_) numbers.insert(replacement.number);
  return numbers;
}

Staff PoolSupervisor::staff() const {
  const auto is_ready = [this](const WorkerProcess& worker) {
    return worker.generation() == serving_ && worker.state() == WorkerState::ready &&
           !worker.is_worn();
  };
  const auto ready = static_cast<unsigned>(std::ranges::count_if(workers_, is_ready));
  return {ready, static_cast<unsigned>(numbers_in_use().size()) - ready};
}

void PoolSupervisor::on_requests_wait(unsigned waiting, TimePoint now) {
  if (!may_scale()) return;
  unsigned more = scaling_.growth(staff(), waiting, now);
  if (more == 0) return;
  log_info(concat("pool ", in_quotes(settings_.name), ": ", waiting,
                  " requests wait, starting workers: ", more));
  const std::set<std::uint32_t> taken = numbers_in_use();
  for (std::uint32_t number = 1; more > 0; ++number) {
    if (taken.contains(number)) continue;
    --more;
    const std::string wrong = start_worker(number, serving_, now);
    if (wrong.empty()) continue;
    log_line(LogLevel::error, concat(settings_.name, "/", number), wrong + extra_failed(now));
    return;
  }
}

void PoolSupervisor::on_load_report(unsigned peak, TimePoint now) {
  if (may_scale() && scaling_.shrinks(staff(), peak, now)) tell_pool(MessageType::release_idle);
}

void PoolSupervisor::on_released(std::uint32_t id, TimePoint now) {
  const auto worker = std::ranges::find(workers_, id, &WorkerProcess::id);
  if (worker == workers_.end() || worker->state() != WorkerState::ready) return;
  std::erase_if(replacements_, [&](const auto& each) { return each.number == worker->number(); });
  retire(*worker, now);
  log_line(LogLevel::info, worker->object(),
           concat("ends, as it was not needed for ", duration_text(PoolScaling::kIdleTime)));
}

// Whether a worker that never got ready was only started because requests waited.
bool PoolSupervisor::is_extra(const WorkerProcess& worker) const {
  const auto is_predecessor = [&](const WorkerProcess& other) {
    return other.number() == worker.number() && other.generation() == serving_ && other.is_worn();
  };
  return scaling_.is_elastic() && !worker.was_ready() &&
         staff().total() >= settings_.processes_min &&
         std::ranges::none_of(workers_, is_predecessor);
}

// It is not replaced but started anew when requests wait; not at once when that was in vain again
// and again. While none is ready, those that wait would only wait for the next failure.
std::string PoolSupervisor::extra_failed(TimePoint now) {
  const Milliseconds delay = scaling_.start_failed(now);
  const bool alone = staff().ready == 0;
  if (alone) tell_pool(MessageType::refuse_waiting);
  return concat(alone ? "; the requests that wait for it are answered 503" : "",
                "; another is started when requests wait",
                delay.count() == 0 ? "" : concat(", not before ", duration_text(delay)));
}

}  // namespace pycgid
