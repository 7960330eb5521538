// What connects a worker with master and gateway: two pipes and a channel, both sides of each.
#pragma once

#include "daemon/settings.h"
#include "pyhost/channel.h"
#include "pyhost/fork_order.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <system_error>

namespace pycgid {

// What is left in the master's hands of a worker that was started.
struct SpawnedWorker {
  std::uint32_t id = 0;        // unique in the life of the master
  pid_t pid = -1;              // stays so, and all else empty, while its template has not forked it
  pyhost::UniqueFd status;     // one line comes: "ready" or "error STATUS MESSAGE"; non-blocking
  pyhost::UniqueFd output;     // its standard output and error
  pyhost::UniqueFd log;        // the gateway's side of its log socket
  pyhost::ChannelFds channel;  // the gateway's side
};

struct Pipe {
  pyhost::UniqueFd read;  // non-blocking
  pyhost::UniqueFd write;
};

// For a worker to write to.
std::error_code open_pipe(Pipe& pipe);
// Likewise, for its standard output and error: /dev/stdout and /dev/stderr can be opened there by
// any user that the worker or its children become. Only who may look into one of these processes
// finds the pipe.
std::error_code open_output_pipe(Pipe& pipe);

// Everything is CLOEXEC.
std::error_code open_worker_ends(const PoolSettings& pool, SpawnedWorker& ours,
                                 pyhost::WorkerSide& theirs);

}  // namespace pycgid
