// What the service manager is told of the pools, see service_state.h.
#include "daemon/master/service_state.h"

#include "daemon/text.h"

#include <algorithm>

namespace pycgid {

ServiceState service_state(ServiceState::Phase phase,
                           std::span<const std::unique_ptr<ManagedPool>> pools) {
  ServiceState state{.phase = phase, .pools = pools.size()};
  for (const auto& pool : pools) {
    const PoolSettings& settings = pool->settings();
    if (pool->failure()) ++state.failed_pools;
    state.workers += pool->workers().in_service();
    state.reloading = state.reloading || pool->is_reloading();
    if (const std::string why = pool->reload_failure(); !why.empty()) {
      state.reload_failure = concat("pool ", in_quotes(settings.name), " failed: ", why);
    }
    state.start_timeout = std::max(state.start_timeout, settings.start_timeout);
    state.stop_timeout = std::max(state.stop_timeout, stop_time(settings) + exit_time(settings));
  }
  return state;
}

}  // namespace pycgid
