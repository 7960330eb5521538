// What the master has told of a pool and its processes, for the status pages. The gateway's thread
// only.
#pragma once

#include "daemon/gateway/worker.h"
#include "daemon/status/pool_state.h"

#include <cstdint>
#include <map>
#include <string>

namespace pycgid {

struct PoolRecord {
  struct Process {
    WorkerInfo info;
    bool loaded = false;  // it has had a channel
  };

  PoolState state;
  std::string failure;                         // why it does not start; empty: it does
  std::map<std::uint32_t, Process> processes;  // by worker: started and not yet reaped
};

}  // namespace pycgid
