// Limits of processes: the workers' options "nice", "rlimit-nofile", "rlimit-core" and "chroot",
// and the open files of the gateway.
#pragma once

#include "daemon/settings.h"

#include <cstdint>
#include <string_view>
#include <sys/resource.h>

namespace pycgid {

// In a worker's process, while it still has the master's rights, which raising a limit or a
// priority takes. Gives the option that failed, with errno set; "" when none did.
// Async-signal-safe.
std::string_view apply_limits(const PoolSettings& pool);

// How many files the gateway has open with as many connections as it allows.
std::uint64_t files_of_gateway(const Settings& settings);

// The limit of open files that this process, or its child, can set so that `needed` fit, or most
// nearly. Changes nothing.
rlimit reachable_file_limit(std::uint64_t needed);

// The master's own: its soft limit is raised to what the pools need, as far as the hard one allows.
// Workers start with the one that it was started with.
void raise_own_file_limit(const Settings& settings);

// Says so when that is too few for option "max-connections".
void note_file_limit(const Settings& settings);

}  // namespace pycgid
