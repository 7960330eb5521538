// Option "on-exit": the process of one command, started as the worker was whose end it follows.
#pragma once

#include "daemon/master/privileges.h"
#include "daemon/master/worker_command.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace pycgid {

// What the workers of one generation were started with, whatever is in force by now.
struct ExitPlan {
  PoolSettings pool;
  WorkerCommand command;
  Credentials credentials;
};

// A worker that was reaped.
struct EndedWorker {
  std::shared_ptr<const ExitPlan> plan;  // null: its pool has no such option
  std::uint32_t number = 0;
  pid_t pid = -1;
  int wait_status = 0;
};

// The command's environment: the worker's, with PYCGID_POOL, PYCGID_WORKER, PYCGID_PID and
// PYCGID_STATUS, which is as a shell's $? has it.
std::vector<std::string> exit_environment(const EndedWorker& worker);

// Starts it in a session of its own, with the rights, limits and directory of the worker; it dies
// with this process. `output` is the read end, non-blocking, of what it writes; what fails up to
// exec comes there, too. Returns what went wrong, "" when nothing did.
std::string start_exit_command(const EndedWorker& worker, pid_t& pid, pyhost::UniqueFd& output);

}  // namespace pycgid
