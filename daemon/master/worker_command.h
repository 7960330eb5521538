// What a worker of a pool runs: program, arguments and environment, made once at start, so that
// nothing needs to be computed between fork and exec.
#pragma once

#include "daemon/master/privileges.h"
#include "daemon/settings.h"

#include <string>
#include <vector>

namespace pycgid {

struct WorkerCommand {
  std::string program;                 // the interpreter, a path
  std::string directory;               // to start in
  LibexecFiles* files = nullptr;       // not owned; null: those installed below another root
  std::vector<std::string> arguments;  // what is the same for all workers
  std::vector<std::string> environment;
};

// Throws StartupError, status 78, when there is no such interpreter, or when the workers would not
// be able to read what they need. `environment` is the daemon's own.
WorkerCommand make_worker_command(const Settings& settings, const PoolSettings& pool,
                                  const Credentials& credentials, const char* const* environment);

// The workers' environment: the daemon's, less what is meant for the daemon alone, with HOME, USER
// and LOGNAME of a user that they change to; or only PATH with option clear-env; then option env.
std::vector<std::string> worker_environment(const PoolSettings& pool,
                                            const Credentials& credentials,
                                            const char* const* environment);

}  // namespace pycgid
