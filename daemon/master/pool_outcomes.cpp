// What became of reloads and workers, kept for the status and told to the gateway whenever it
// changes. Part of PoolSupervisor, see pool_supervisor.h.
#include "daemon/master/pool_supervisor.h"

#include <algorithm>

namespace pycgid {

PoolState PoolSupervisor::state() const {
  PoolState state = noted_;
  state.serving = serving_;
  state.candidate = candidate_;
  return state;
}

std::size_t PoolSupervisor::in_service() const {
  const auto serves = [this](const WorkerProcess& worker) {
    return worker.generation() == serving_ && worker.state() == WorkerState::ready;
  };
  return static_cast<std::size_t>(std::ranges::count_if(workers_, serves));
}

std::string PoolSupervisor::reload_failure() const {
  const auto& last = noted_.last_reload;
  return last && !last->ok ? last->reason : "";
}

void PoolSupervisor::note_outcome(bool ok, std::uint32_t generation, std::string_view why,
                                  TimePoint now) {
  ++(ok ? noted_.reloads : noted_.failed_reloads);
  noted_.last_reload = {now, generation, ok, std::string(why)};
  tell_state();
}

void PoolSupervisor::note_death() {
  ++noted_.deaths;
  tell_state();
}

void PoolSupervisor::tell_state() {
  Message message;
  message.type = MessageType::pool_state;
  message.pool = index_;
  message.text = encode(state());
  host_.tell_gateway(message);
}

}  // namespace pycgid
