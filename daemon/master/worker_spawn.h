// Starting one worker, or one template: channel, pipes, fork and exec.
#pragma once

#include "daemon/master/privileges.h"
#include "daemon/master/worker_command.h"
#include "daemon/master/worker_ends.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string>

namespace pycgid {

// Option "preload": the process that forks workers, as it is left in the master's hands.
struct SpawnedTemplate {
  SpawnedWorker process;    // without a channel
  pyhost::UniqueFd orders;  // for fork orders
};

struct WorkerPlan {
  const PoolSettings& pool;
  const WorkerCommand& command;
  const Credentials& credentials;
};

// Returns what went wrong, "" when nothing did. What fails in the child, up to exec, comes as an
// error line on the status pipe.
std::string spawn_worker(const WorkerPlan& plan, std::uint32_t number, SpawnedWorker& worker);
// Likewise, as the same user with the same program and environment. From now on this process is a
// subreaper, and the parent of what its workers leave behind, too.
std::string spawn_template(const WorkerPlan& plan, SpawnedTemplate& spawned);

}  // namespace pycgid
