// Starting one worker: channel, pipes, fork and exec.
#pragma once

#include "daemon/master/privileges.h"
#include "daemon/master/worker_command.h"
#include "daemon/settings.h"
#include "pyhost/channel.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace pycgid {

// What is left in the master's hands of a worker that was started.
struct SpawnedWorker {
  std::uint32_t id = 0;  // unique in the life of the master
  pid_t pid = -1;
  pyhost::UniqueFd status;     // one line comes: "ready" or "error STATUS MESSAGE"; non-blocking
  pyhost::UniqueFd output;     // its standard output and error
  pyhost::ChannelFds channel;  // the gateway's side
};

struct WorkerPlan {
  const PoolSettings& pool;
  const WorkerCommand& command;
  const Credentials& credentials;
};

// Returns what went wrong, "" when nothing did. What fails in the child, up to exec, comes as an
// error line on the status pipe.
std::string spawn_worker(const WorkerPlan& plan, std::uint32_t number, SpawnedWorker& worker);

}  // namespace pycgid
