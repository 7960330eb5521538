// What a worker of a pool runs: program, arguments and environment, made once at start, so that
// nothing needs to be computed between fork and exec.
#pragma once

#include "daemon/settings.h"

#include <string>
#include <vector>

namespace pycgid {

struct WorkerCommand {
  std::string program;                 // the interpreter, a path
  std::vector<std::string> arguments;  // what is the same for all workers
  std::vector<std::string> environment;
};

// Throws StartupError, status 78, when there is no such interpreter. `environ` is the daemon's own
// environment.
WorkerCommand make_worker_command(const Settings& settings, const PoolSettings& pool,
                                  const char* const* environ);

// The workers' environment: the daemon's, less what is meant for the daemon alone, or only PATH
// with option clear-env; then option env.
std::vector<std::string> worker_environment(const PoolSettings& pool, const char* const* environ);

}  // namespace pycgid
