// The listening sockets. The master binds them, with its own rights, before anything else is
// started, keeps them for the next gateway, and removes Unix sockets at the end.
#pragma once

#include "daemon/settings.h"
#include "daemon/startup_error.h"
#include "pyhost/unique_fd.h"

#include <list>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace pycgid {

class BoundSocket {
 public:
  // Takes a socket that is listening at `address` by now.
  BoundSocket(pyhost::UniqueFd fd, const Address& address);
  BoundSocket(BoundSocket&&) = default;
  BoundSocket(const BoundSocket&) = delete;
  BoundSocket& operator=(BoundSocket&&) = delete;
  BoundSocket& operator=(const BoundSocket&) = delete;
  // Removes the path of a Unix socket if it is still this socket.
  ~BoundSocket();

  const pyhost::UniqueFd& fd() const { return fd_; }
  // It is a Unix socket, and its path does not lead to it any more.
  bool has_lost_path() const;
  const Address& address() const { return address_; }
  // The same socket by another name or protocol.
  void set_address(const Address& address) { address_ = address; }
  // Another length of the kernel's queue.
  void set_backlog(int backlog) const;

  // Gives the descriptor away, for good, in the gateway's process.
  pyhost::UniqueFd take_fd() { return std::move(fd_); }

 private:
  pyhost::UniqueFd fd_;
  Address address_;
  dev_t device_ = 0;  // with inode_: the file that is ours to remove
  ino_t inode_ = 0;
};

// Where the pool listens; without an address, descriptor 0 when that is a listening socket (FastCGI
// 1.0 section 2.2). Throws StartupError.
std::vector<Address> addresses_of(const PoolSettings& pool);

// What could be bound, and why the first that could not be could not.
struct Binding {
  std::list<BoundSocket> sockets{};
  std::optional<StartupError> failure{};
};

// Binds those of `addresses` that none of `held` is bound to; one that fails is not in the way of
// the next.
Binding bind_addresses(const std::vector<Address>& addresses, const PoolSettings& pool,
                       const std::list<BoundSocket>& held, int backlog);

// All of the pool's, or none. Throws StartupError.
std::list<BoundSocket> bind_pool(const PoolSettings& pool, const std::list<BoundSocket>& held,
                                 int backlog);

// Binds one whose path is gone. Throws StartupError.
BoundSocket bind_again(const Address& address, const PoolSettings& pool, int backlog);

// Null when none is bound to it, in whatever protocol.
BoundSocket* find_socket(std::list<BoundSocket>& sockets, const Address& address);

// Those bound to any of the addresses leave the list.
std::list<BoundSocket> take_sockets(std::list<BoundSocket>& from,
                                    const std::vector<Address>& addresses);

// Whether they could be bound, found out without disturbing a running daemon. Adds what is worth
// knowing to `notes`. Throws StartupError.
void check_sockets(const PoolSettings& pool, std::vector<std::string>& notes);

// Says so when the kernel will cut option "backlog".
void note_usable_backlog(int wanted);

}  // namespace pycgid
