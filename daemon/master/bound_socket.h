// The listening sockets. The master binds them, with its own rights, before anything else is
// started, keeps them for the next gateway, and removes Unix sockets at the end.
#pragma once

#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace pycgid {

class BoundSocket {
 public:
  // Takes a socket that is listening at `address` by now.
  BoundSocket(pyhost::UniqueFd fd, const Address& address, std::uint32_t pool);
  BoundSocket(BoundSocket&&) = default;
  BoundSocket(const BoundSocket&) = delete;
  BoundSocket& operator=(BoundSocket&&) = delete;
  BoundSocket& operator=(const BoundSocket&) = delete;
  // Removes the path of a Unix socket if it is still this socket.
  ~BoundSocket();

  const pyhost::UniqueFd& fd() const { return fd_; }
  const Address& address() const { return address_; }
  std::uint32_t pool() const { return pool_; }

  // Gives the descriptor away, for good, in the gateway's process.
  pyhost::UniqueFd take_fd() { return std::move(fd_); }

 private:
  pyhost::UniqueFd fd_;
  Address address_;
  std::uint32_t pool_;
  dev_t device_ = 0;  // with inode_: the file that is ours to remove
  ino_t inode_ = 0;
};

// Binds all sockets of pool number `id`; without an address it takes descriptor 0 when that is a
// listening socket (FastCGI 1.0 section 2.2). Throws StartupError.
std::vector<BoundSocket> bind_pool(const PoolSettings& pool, std::uint32_t id, int backlog);

// Says so when the kernel will cut option "backlog".
void note_usable_backlog(int wanted);

}  // namespace pycgid
