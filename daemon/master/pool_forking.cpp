// Workers that a template forks (option "preload"): they are ordered first, and come later or not
// at all. Part of PoolSupervisor, see pool_supervisor.h.
#include "daemon/log.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/text.h"

#include <algorithm>
#include <csignal>
#include <utility>
#include <vector>

namespace pycgid {

void PoolSupervisor::introduce(WorkerProcess& worker) {
  std::vector<pyhost::UniqueFd> fds;
  fds.push_back(worker.take_output());
  fds.push_back(worker.take_log());
  tell(MessageType::worker_started, worker, worker.name(), std::move(fds));
  log_line(LogLevel::debug, worker.object(), concat("started, generation ", worker.generation()));
}

void PoolSupervisor::on_forked(SpawnedWorker process) {
  const auto worker = std::ranges::find(workers_, process.id, &WorkerProcess::id);
  if (worker == workers_.end() || worker->is_forked()) return;
  worker->come(std::move(process));
  introduce(*worker);
  // Nobody wants it any more.
  if (worker->state() == WorkerState::ending) signal(*worker, SIGKILL);
}

void PoolSupervisor::on_not_forked(std::uint32_t id, const StartupError& why, TimePoint now) {
  const auto found = std::ranges::find(workers_, id, &WorkerProcess::id);
  if (found == workers_.end() || found->is_forked()) return;
  found->blame(why.status, why.text);
  const WorkerProcess worker = std::move(*found);
  workers_.erase(found);
  constexpr int kNoWaitStatus = 0;  // the fault says it all
  report_end(worker, kNoWaitStatus, now);
}

bool PoolSupervisor::needs_template(std::uint32_t generation) const {
  if (!stopping_ && (generation == serving_ || generation == candidate_)) return true;
  // What the application started in the template is there for its workers.
  return std::ranges::any_of(workers_, [generation](const WorkerProcess& worker) {
    return worker.generation() == generation && worker.is_forked();
  });
}

void PoolSupervisor::signal(const WorkerProcess& worker, int number) {
  if (worker.is_forked()) host_.signal_group(worker.pid(), number);
}

}  // namespace pycgid
