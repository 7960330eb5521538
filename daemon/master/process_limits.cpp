// Limits of processes, see process_limits.h.
#include "daemon/master/process_limits.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <optional>
#include <unistd.h>

namespace pycgid {
namespace {

// Of the gateway, beside connections and workers: logs, pipes, its loop, and bodies on the disk.
constexpr std::uint64_t kOtherFiles = 256;
// Output, log socket, shared memory, bell and passing socket of a worker; old and new ones during a
// reload.
constexpr std::uint64_t kFilesOfWorker = 5 * 2;

// Of the master, beside pools: logs, its own sockets, a helper's pipe.
constexpr std::uint64_t kOtherMasterFiles = 64;
// Of a worker that starts: both ends of its pipes and channel; what it has and its successor.
constexpr std::uint64_t kMasterFilesOfWorker = 12 * 2;

// Of the process as it was started; empty: not raised.
std::optional<rlimit> soft_at_start;

bool set_limit(decltype(RLIMIT_NOFILE) resource, std::uint64_t value) {
  const rlim_t limit = value == kUnlimited ? RLIM_INFINITY : value;
  const rlimit both{limit, limit};
  return ::setrlimit(resource, &both) == 0;
}

}  // namespace

std::string_view apply_limits(const PoolSettings& pool) {
  if (pool.nice && ::setpriority(PRIO_PROCESS, 0, *pool.nice) != 0) return "nice";
  if (soft_at_start && ::setrlimit(RLIMIT_NOFILE, &*soft_at_start) != 0) return "rlimit-nofile";
  if (pool.rlimit_nofile && !set_limit(RLIMIT_NOFILE, *pool.rlimit_nofile)) return "rlimit-nofile";
  if (pool.rlimit_core && !set_limit(RLIMIT_CORE, *pool.rlimit_core)) return "rlimit-core";
  if (!pool.chroot.empty() && (::chroot(pool.chroot.c_str()) != 0 || ::chdir("/") != 0)) {
    return "chroot";
  }
  return {};
}

std::uint64_t files_of_gateway(const Settings& settings) {
  std::uint64_t files = kOtherFiles + settings.max_connections;
  for (const PoolSettings& pool : settings.pools) {
    files += pool.addresses.size() + pool.processes_max * kFilesOfWorker;
  }
  return files;
}

rlimit reachable_file_limit(std::uint64_t needed) {
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  if (now.rlim_cur >= needed) return now;
  const rlimit wanted{needed, std::max<rlim_t>(now.rlim_max, needed)};
  // Only the kernel knows what it allows.
  if (::setrlimit(RLIMIT_NOFILE, &wanted) != 0) return {now.rlim_max, now.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &now);
  return wanted;
}

void raise_own_file_limit(const Settings& settings) {
  std::uint64_t needed = kOtherMasterFiles;
  for (const PoolSettings& pool : settings.pools) {
    needed += pool.addresses.size() + pool.processes_max * kMasterFilesOfWorker;
  }
  rlimit now{};
  if (::getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= needed) return;
  if (!soft_at_start) soft_at_start = now;
  const rlimit raised{std::min<rlim_t>(needed, now.rlim_max), now.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
}

void note_file_limit(const Settings& settings) {
  const std::uint64_t needed = files_of_gateway(settings);
  const rlim_t limit = reachable_file_limit(needed).rlim_cur;
  if (limit >= needed) return;
  log_notice(concat("max-connections ", settings.max_connections, " needs ", needed,
                    " open files, the limit is ", limit,
                    "; accepting will pause when it is reached (raise the hard limit of open "
                    "files, or lower option \"max-connections\")"));
}

}  // namespace pycgid
