// Workers that are to end, or take too long for what they do. Part of PoolSupervisor, see
// pool_supervisor.h.
//
// One that is retired has option "stop-timeout" to finish its requests. Then the gateway cuts them,
// as it does after "request-timeout": the application can clean up, and Python can end in order
// (finally, atexit). What is still there a moment later is killed.
#include "daemon/log.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/text.h"

#include <algorithm>
#include <csignal>

namespace pycgid {

Milliseconds cleanup_time(const PoolSettings& pool) {
  constexpr Milliseconds kMoment{5000};
  return std::min(kMoment, pool.stop_timeout);
}

Milliseconds stop_time(const PoolSettings& pool) {
  return pool.stop_timeout + cleanup_time(pool);
}

void PoolSupervisor::retire(WorkerProcess& worker, TimePoint now) {
  if (worker.state() == WorkerState::ready) {
    worker.move_to(WorkerState::draining, now + settings_.stop_timeout);
  } else if (worker.state() < WorkerState::ready) {
    kill(worker);
  }
}

void PoolSupervisor::kill(WorkerProcess& worker) {
  worker.move_to(WorkerState::ending, std::nullopt);
  signal(worker, SIGKILL);
}

void PoolSupervisor::cut(WorkerProcess& worker, TimePoint now) {
  log_line(LogLevel::warning, worker.object(),
           concat("not idle ", duration_text(settings_.stop_timeout),
                  " after it was to end (option \"stop-timeout\"), cutting its requests"));
  worker.move_to(WorkerState::cut, now + cleanup_time(settings_));
  tell(MessageType::cut, worker, {});
}

// What takes too long to start is killed; what takes too long to end is cut first.
void PoolSupervisor::on_overdue(WorkerProcess& worker, TimePoint now) {
  if (worker.state() == WorkerState::starting) {
    const PoolSettings& settings = settings_of(worker.generation());
    worker.blame(ExitStatus::temporary, start_timeout_text(settings, has_begun(worker)));
  } else if (worker.state() == WorkerState::warming) {
    worker.blame(ExitStatus::temporary,
                 concat("the requests of option \"warmup\" were not answered within ",
                        duration_text(settings_of(worker.generation()).start_timeout),
                        " (option \"start-timeout\")"));
  } else if (worker.state() == WorkerState::draining && host_.has_gateway()) {
    return cut(worker, now);
  } else if (worker.state() == WorkerState::draining) {
    log_line(LogLevel::warning, worker.object(),
             concat("still busy after ", duration_text(settings_.stop_timeout),
                    " (option \"stop-timeout\"), killing it"));
  } else if (worker.state() == WorkerState::ending) {
    log_line(LogLevel::warning, worker.object(),
             "still there after its gateway has ended (option \"stop-timeout\"), killing it");
  } else if (worker.state() == WorkerState::cut) {
    log_line(LogLevel::warning, worker.object(),
             concat("still there ", duration_text(cleanup_time(settings_)),
                    " after its requests were cut (option \"stop-timeout\"), killing it"));
  }
  if (!worker.is_forked()) host_.give_up_fork(index_, worker.id());
  kill(worker);
}

}  // namespace pycgid
