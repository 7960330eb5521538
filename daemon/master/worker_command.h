// What a worker of a pool runs: program, arguments and environment, made once at start, so that
// nothing needs to be computed between fork and exec.
#pragma once

#include "daemon/master/look.h"
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

// The look at what the workers need to read, in their place; its result is the path of the
// interpreter. Fails, status 78, when there is none, or when they could not read something. Notes
// which of the new Unix sockets web servers will not reach. All outlive the start of the look.
struct LookedAt {
  const std::vector<std::string>& environment;  // the workers'
  const std::vector<Address>& new_addresses;
};
LookRequest worker_look(const Settings& settings, const PoolSettings& pool,
                        const Credentials& credentials, const LookedAt& what);
// After it. Throws StartupError when the environment is more than the system takes.
WorkerCommand worker_command(const Settings& settings, const PoolSettings& pool,
                             std::vector<std::string> environment, std::string program);

// Both, waiting for the look; `environment` is the daemon's own.
WorkerCommand make_worker_command(const Settings& settings, const PoolSettings& pool,
                                  const Credentials& credentials, const char* const* environment);

// The workers' environment: the daemon's, less what is meant for the daemon alone, with HOME, USER
// and LOGNAME of a user that they change to; or only PATH with option clear-env; then option env.
std::vector<std::string> worker_environment(const PoolSettings& pool,
                                            const Credentials& credentials,
                                            const char* const* environment);

}  // namespace pycgid
