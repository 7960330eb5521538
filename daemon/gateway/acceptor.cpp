#include "daemon/gateway/acceptor.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace pycgid {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::seconds kNoticeEvery{1};

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Acceptor::Acceptor(ListeningSocket listener, EventLoop& loop, const PeerFilter& peers,
                   AcceptorOwner& owner)
    : listener_(std::move(listener)),
      loop_(loop),
      peers_(peers),
      owner_(owner),
      refusals_(loop, kNoticeEvery, [this](std::uint64_t more) {
        tell_refused(concat(more, " more connections in the last second"));
      }) {}

void Acceptor::tell_refused(std::string_view what) const {
  log_notice(concat("refused ", what, " on ", listener_.text,
                    " (option \"allow-peer\" or FCGI_WEB_SERVER_ADDRS)"));
}

Acceptor::~Acceptor() {
  pause();
}

void Acceptor::open() {
  if (std::exchange(open_, true)) return;
  loop_.poller().add(listener_.fd.get(), EPOLLIN, *this);
}

void Acceptor::pause() {
  if (!std::exchange(open_, false)) return;
  loop_.poller().remove(listener_.fd.get());
}

void Acceptor::on_events(std::uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn && open_; ++i) {
    if (accept_one() != Accepted::one) return;
  }
}

bool Acceptor::accept_backlog() {
  while (owner_.has_room()) {
    const Accepted result = accept_one();
    if (result != Accepted::one) return result == Accepted::nothing;
  }
  return false;
}

Acceptor::Accepted Acceptor::accept_one() {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  pyhost::UniqueFd socket(::accept4(listener_.fd.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EINTR || errno == ECONNABORTED) return Accepted::one;
    if (!is_shortage(errno)) return Accepted::nothing;
    owner_.starved(errno);
    return Accepted::short_of_something;
  }
  if (!peers_.allows(peer)) {
    if (refusals_.is_due()) tell_refused("a connection from " + peer_name(peer));
    return Accepted::one;
  }
  if (peer.ss_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  owner_.accepted(listener_, std::move(socket), peer_name(peer));
  return Accepted::one;
}

}  // namespace pycgid
