// When the gateway dies: the end of the workers that it had, and a new start. Part of
// PoolSupervisor, see pool_supervisor.h.
#include "daemon/master/pool_supervisor.h"

#include <algorithm>

namespace pycgid {

void PoolSupervisor::abandon(TimePoint now) {
  if (candidate_ != 0 && serving_ != 0) {
    note_outcome(false, candidate_, "the gateway has ended, all workers are replaced", now);
  }
  size_to_recover_.reset();
  if (serving_ != 0) size_to_recover_ = std::max(staff().total(), settings_.processes_min);
  candidate_ = 0;
  reload_again_ = false;
  serving_ = 0;
  replacements_.clear();
  for (WorkerProcess& worker : workers_) {
    if (worker.state() == WorkerState::ending) continue;
    if (worker.state() < WorkerState::ready) {
      kill(worker);
    } else {
      // It sees that its gateway is gone, with the clients of its requests: as long as cleaning up
      // may take they have to end by themselves, before that.
      worker.move_to(WorkerState::ending, now + 2 * cleanup_time(settings_));
    }
  }
}

// One that has not served yet is not ready before its workers are: it starts anew.
void PoolSupervisor::recover(TimePoint now) {
  if (!size_to_recover_) return boot(now);
  serving_ = ++last_generation_;
  tell_pool(MessageType::take_over);
  tell_state();
  for (std::uint32_t number = 1; number <= *size_to_recover_; ++number) {
    replacements_.push_back({number, now});
  }
  on_time(now);
}

}  // namespace pycgid
