// Listening Unix sockets: made under a temporary name with their final owner and permissions, and
// only then renamed, so that a path never stands there with other rights.
#pragma once

#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <string>

namespace pycgid {

// Binds and listens; replaces a stale socket, refuses a live one and any other file. Throws
// StartupError.
pyhost::UniqueFd listen_unix_path(const Address& address, const PoolSettings& pool, int backlog);
pyhost::UniqueFd listen_unix_abstract(const Address& address, int backlog);

// Gives a bound one the owner and permissions that `pool` has now. Throws StartupError, and nothing
// has changed then unless the system refused.
void change_socket_rights(const Address& address, const PoolSettings& pool);

// Whether the path could be bound: its directory, its owner, and what stands there now. A socket of
// a running pycgid is fine, and what the result speaks of. Throws StartupError.
std::string check_socket_path(const Address& address, const PoolSettings& pool);

}  // namespace pycgid
