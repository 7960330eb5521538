// From a socket to a connection, see make_connection.h.
#include "daemon/gateway/make_connection.h"

#include "daemon/gateway/fcgi_connection.h"
#include "daemon/gateway/scgi_connection.h"
#include "daemon/log.h"

#include <utility>

namespace pycgid {

std::unique_ptr<Connection> make_connection(const ListeningSocket& listener, const Pool& pool,
                                            ConnectionOwner& owner, Peer peer) {
  if (listener.tls) {
    peer.tls = pool.tls.accept(peer.socket.get());
    if (!peer.tls) {
      log_error("connection from " + peer.name +
                " closed: there is no certificate or no memory to begin TLS with");
      return nullptr;
    }
  }
  if (listener.protocol == Protocol::fastcgi) {
    return std::make_unique<FcgiConnection>(pool.context, owner, std::move(peer));
  }
  return std::make_unique<ScgiConnection>(pool.context, owner, std::move(peer));
}

}  // namespace pycgid
