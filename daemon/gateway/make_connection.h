// From an accepted socket to a connection of the listener's kind.
#pragma once

#include "daemon/gateway/connection.h"
#include "daemon/gateway/gateway.h"
#include "daemon/gateway/pool.h"

#include <memory>

namespace pycgid {

// Null, and the peer is closed, when TLS cannot begin.
std::unique_ptr<Connection> make_connection(const ListeningSocket& listener, const Pool& pool,
                                            ConnectionOwner& owner, Peer peer);

}  // namespace pycgid
