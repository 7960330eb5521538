// A worker's pipes and channel, see worker_ends.h.
#include "daemon/master/worker_ends.h"

#include "pyhost/log_socket.h"
#include "pyhost/own_fds.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

// Requests that wait in the worker's own queue while all its threads are busy.
constexpr std::uint32_t kSpareSlots = 8;
// Room in a slot for an inlined body and for what the gateway adds to the variables.
constexpr std::uint64_t kSlotExtra = 128ULL * 1024;

pyhost::ChannelSizes channel_sizes(const PoolSettings& pool) {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t bytes = (pool.max_params + kSlotExtra + page - 1) / page * page;
  pyhost::ChannelSizes sizes;
  sizes.slots = pool.threads + kSpareSlots;
  sizes.request_bytes = static_cast<std::uint32_t>(bytes);
  return sizes;
}

}  // namespace

std::error_code open_pipe(Pipe& pipe) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return {errno, std::generic_category()};
  pipe.read.reset(fds[0]);
  pipe.write.reset(fds[1]);
  fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  pyhost::mark_as_ours(fds[1]);
  return {};
}

std::error_code open_output_pipe(Pipe& pipe) {
  constexpr mode_t kAllMayWrite = 0622;
  if (const std::error_code error = open_pipe(pipe)) return error;
  if (::fchmod(pipe.write.get(), kAllMayWrite) != 0) return {errno, std::generic_category()};
  return {};
}

std::error_code open_worker_ends(const PoolSettings& pool, SpawnedWorker& ours,
                                 pyhost::WorkerSide& theirs) {
  Pipe output;
  Pipe status;
  pyhost::LogSocket log;
  pyhost::ChannelPair channel;
  if (const std::error_code error = open_output_pipe(output)) return error;
  if (const std::error_code error = open_pipe(status)) return error;
  if (const std::error_code error = pyhost::create_log_socket(log)) return error;
  if (const auto error = pyhost::create_channel(channel_sizes(pool), channel)) return error;
  ours.status = std::move(status.read);
  ours.output = std::move(output.read);
  ours.log = std::move(log.gateway);
  ours.channel = std::move(channel.gateway);
  theirs.status = std::move(status.write);
  theirs.output = std::move(output.write);
  theirs.log = std::move(log.worker);
  theirs.channel = std::move(channel.worker);
  return {};
}

}  // namespace pycgid
