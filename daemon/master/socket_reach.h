// Whether the web server can get at a Unix socket through the directories above it.
#pragma once

#include "daemon/settings.h"

#include <string>

namespace pycgid {

// What to say when those whom options "socket-user" and "socket-group" let in may not search a
// directory above the socket; "" when they may, or when neither option is given. Judged by the
// permission bits; a directory with an access list is passed over.
std::string unreachable_text(const Address& address, const PoolSettings& pool);

}  // namespace pycgid
