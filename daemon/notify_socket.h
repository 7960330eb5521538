// The wire to the service manager: sd_notify(3)'s datagrams, which need no library. Used by the
// master, on its one thread.
#pragma once

#include "pyhost/unique_fd.h"

#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace pycgid {

class NotifySocket {
 public:
  // `address` as in NOTIFY_SOCKET: a path, or "@" and an abstract name; null or "": there is no
  // service manager. One that cannot be used is logged, and counts as none.
  explicit NotifySocket(const char* address);

  bool is_open() const { return static_cast<bool>(fd_); }
  // Lines NAME=VALUE. Does nothing without a service manager; waits a second at most for one that
  // reads nothing. That it cannot be reached is logged once.
  void send(std::string_view state);

 private:
  pyhost::UniqueFd fd_;
  sockaddr_un address_{};
  socklen_t length_ = 0;
  bool failing_ = false;
};

}  // namespace pycgid
