// From a socket to a connection, see make_connection.h.
#include "daemon/gateway/make_connection.h"

#include "daemon/gateway/fcgi_connection.h"
#include "daemon/gateway/scgi_connection.h"
#include "daemon/log.h"
#include "daemon/text.h"

#include <string>
#include <string_view>
#include <utility>

namespace pycgid {
namespace {

void complain(const Pool& pool, const std::string& peer, std::string_view why) {
  PeerNotices& notices = pool.context.dispatcher.peer_notices();
  if (!notices.is_due({LogLevel::error, "connections closed", why})) return;
  log_line(LogLevel::error, pool.context.pool.name,
           concat("connection from ", peer, " closed: ", why));
}

}  // namespace

std::unique_ptr<Connection> make_connection(const ListeningSocket& listener, const Pool& pool,
                                            ConnectionOwner& owner, Peer peer) {
  if (listener.tls) {
    peer.tls = pool.tls.accept(peer.socket.get());
    if (!peer.tls) {
      complain(pool, peer.name, "there is no certificate or no memory to begin TLS with");
      return nullptr;
    }
  }
  if (listener.protocol == Protocol::fastcgi) {
    return std::make_unique<FcgiConnection>(pool.context, owner, std::move(peer));
  }
  return std::make_unique<ScgiConnection>(pool.context, owner, std::move(peer));
}

}  // namespace pycgid
