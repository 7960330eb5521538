// How the gateway reaches a request that runs for too long: a word in its slot says what is wanted,
// a count in the board wakes the thread of the worker that sees to it.
#include "pyhost/channel.h"
#include "pyhost/internal/channel_gateway_state.h"
#include "pyhost/internal/channel_worker_state.h"

namespace pyhost {

void GatewayEnd::demand(std::uint32_t slot, Demand demand) {
  const std::uint16_t generation = state_->slots[slot].generation;
  state_->map.control(slot).demand.store(demand_word(generation, demand));
  announce_demand(state_->map.board());
}

// The generation tells a demand that came too late, after the end of its request.
std::optional<WorkerEnd::RequestDemand> WorkerEnd::State::take_demand() {
  for (std::uint32_t slot = 0; slot < map.sizes().slots; ++slot) {
    SlotControl& control = map.control(slot);
    if (control.demand.load() == 0) continue;
    const std::uint32_t word = control.demand.exchange(0);
    const auto generation = static_cast<std::uint16_t>(word >> 8);
    if (control.state.load() != state_word(generation, Phase::taken)) continue;
    return RequestDemand{slot, generation, static_cast<Demand>(word & 0xff)};
  }
  return std::nullopt;
}

std::optional<WorkerEnd::RequestDemand> WorkerEnd::wait_demand() {
  Word& demands = state_->map.board().demands;
  while (true) {
    // Read first: what is demanded after the look at the slots changes it.
    const std::uint32_t seen = demands.load();
    if (const auto demand = state_->take_demand()) return demand;
    if (state_->closed.load()) return std::nullopt;
    futex_wait(demands, seen);
  }
}

}  // namespace pyhost
