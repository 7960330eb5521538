// A template's work (option "preload"): forks workers that have the application loaded already.
#pragma once

#include "pyhost/fork_order.h"
#include "pyhost/module_state.h"
#include "pyhost/unique_fd.h"

namespace pyhost {

enum class Forking { is_worker, is_over };

// Forks a worker for each order until the master wants no more (`is_over`). Returns also in each
// forked worker (`is_worker`), which is the master's child and not the template's, leads its own
// process group, has its output connected, and has the rest of `order` to work with. Call on the
// main thread, attached; Python's hooks (os.register_at_fork) run once for each worker.
Forking fork_workers(const ModuleState& state, UniqueFd orders, ForkOrder& order);

}  // namespace pyhost
