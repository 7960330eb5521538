// Carries out what the gateway demands of requests that run for too long: logs where they are, and
// raises RequestTimeout in them. On a thread of its own, which attaches only to raise: that waits
// for the GIL, and what a request does in C code may hold it for long.
#pragma once

#include "pyhost/module_state.h"
#include "pyhost/running_request.h"
#include "pyhost/stack_dump.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace pyhost {

class Interrupter {
 public:
  // Both outlive it, and it outlives all threads: see serve().
  Interrupter(const ModuleState& state, WorkerEnd& worker) : state_(state), worker_(worker) {}

  // Before run(); attached. False with an exception set.
  bool open() { return dump_.open(); }
  // For a request thread, and on it; attached.
  RunningRequest& add_thread();
  // Returns when the gateway is gone.
  void run();

 private:
  // Null behind the last one.
  RunningRequest* thread_at(std::size_t index);
  void carry_out(const WorkerEnd::RequestDemand& demand);

  const ModuleState& state_;
  WorkerEnd& worker_;
  StackDump dump_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<RunningRequest>> threads_;  // guarded by mutex_
};

}  // namespace pyhost
