#include "daemon/gateway/acceptor.h"

#include "daemon/log.h"

#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace pycgid {
namespace {

constexpr int kAcceptsPerTurn = 64;

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Acceptor::Acceptor(ListeningSocket listener, Poller& poller, const PeerFilter& peers,
                   AcceptorOwner& owner)
    : listener_(std::move(listener)), poller_(poller), peers_(peers), owner_(owner) {}

Acceptor::~Acceptor() {
  pause();
}

void Acceptor::open() {
  if (std::exchange(open_, true)) return;
  poller_.add(listener_.fd.get(), EPOLLIN, *this);
}

void Acceptor::pause() {
  if (!std::exchange(open_, false)) return;
  poller_.remove(listener_.fd.get());
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
    log_notice("refused a connection from " + peer_name(peer) + " on " + listener_.text +
               " (option \"allow-peer\" or FCGI_WEB_SERVER_ADDRS)");
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
