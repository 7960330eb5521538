// Makes the memory, the bell and the socket pair of a channel; in the master, once for a worker.
#include "pyhost/channel.h"

#include "pyhost/internal/channel_layout.h"
#include "pyhost/own_fds.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace pyhost {
namespace {

// Empty on failure; errno tells why. The seals keep a worker from making the gateway take SIGBUS.
UniqueFd make_memory(const ChannelSizes& sizes) {
  UniqueFd memory(::memfd_create("pycgid-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return {};
  ChannelHeader header;
  header.sizes = sizes;
  const auto total = static_cast<off_t>(ChannelLayout(sizes).total);
  const bool made =
      ::ftruncate(memory.get(), total) == 0 &&
      ::pwrite(memory.get(), &header, sizeof header, 0) == ssize_t{sizeof header} &&
      ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
  return made ? std::move(memory) : UniqueFd();
}

UniqueFd duplicate(const UniqueFd& fd) {
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
}

bool make_passing(ChannelPair& pair) {
  std::array<int, 2> ends{};
  constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (::socketpair(AF_UNIX, kType, 0, ends.data()) != 0) return false;
  pair.gateway.passing.reset(ends[0]);
  pair.worker.passing.reset(ends[1]);
  return true;
}

}  // namespace

std::error_code create_channel(const ChannelSizes& sizes, ChannelPair& pair) {
  if (!sizes_are_sane(sizes)) return std::make_error_code(std::errc::invalid_argument);
  ChannelPair made;
  const bool complete = (made.gateway.memory = make_memory(sizes)) &&
                        (made.worker.memory = duplicate(made.gateway.memory)) &&
                        (made.gateway.bell = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) &&
                        (made.worker.bell = duplicate(made.gateway.bell)) && make_passing(made);
  if (!complete) return {errno, std::system_category()};
  for (const UniqueFd* fd : {&made.worker.memory, &made.worker.bell, &made.worker.passing}) {
    mark_as_ours(fd->get());
  }
  pair = std::move(made);
  return {};
}

}  // namespace pyhost
