// sd_notify(3)'s datagrams, see notify_socket.h.
#include "daemon/notify_socket.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <sys/time.h>
#include <utility>

namespace pycgid {

NotifySocket::NotifySocket(const char* address) {
  const std::string_view text = address == nullptr ? "" : address;
  if (text.empty()) return;
  const bool abstract = text.front() == '@';
  if ((!abstract && text.front() != '/') || text.size() >= sizeof address_.sun_path) {
    log_warning(concat("cannot use NOTIFY_SOCKET ", in_quotes(text),
                       ": it is neither a path nor an abstract name, continuing without it"));
    return;
  }
  address_.sun_family = AF_UNIX;
  std::ranges::copy(text, address_.sun_path);
  if (abstract) address_.sun_path[0] = '\0';
  // A path ends with a NUL byte, an abstract name with its last.
  length_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (abstract ? 0 : 1));
  fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

void NotifySocket::send(std::string_view state) {
  if (!fd_) return;
  const auto* address = reinterpret_cast<const sockaddr*>(&address_);
  if (::sendto(fd_.get(), state.data(), state.size(), MSG_NOSIGNAL, address, length_) >= 0) {
    failing_ = false;
  } else if (!std::exchange(failing_, true)) {
    log_warning(concat("cannot tell the service manager (NOTIFY_SOCKET): ", reason(errno)));
  }
}

}  // namespace pycgid
