// What the service manager is told of the pools.
#pragma once

#include "daemon/master/managed_pool.h"
#include "daemon/master/service_manager.h"

#include <memory>
#include <span>

namespace pycgid {

// `phase` is the caller's to know.
ServiceState service_state(ServiceState::Phase phase,
                           std::span<const std::unique_ptr<ManagedPool>> pools);

}  // namespace pycgid
