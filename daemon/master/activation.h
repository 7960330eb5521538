// Socket activation, as sd_listen_fds(3) has it: sockets that the service manager listens on, and
// which of them addresses "systemd" and "systemd:NAME" mean.
#pragma once

#include "daemon/settings.h"

#include <string>
#include <vector>

namespace pycgid {

// The descriptors stay open, and at their numbers, as long as the process lives, as 0, 1 and 2 do:
// they are nobody's to close.
struct InheritedSockets {
  std::vector<std::string> names;  // of the descriptors from 3 on
  std::string missing;             // why there are none
};

// From the values of LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, each of which may be null.
InheritedSockets parse_listen_variables(const char* pid, const char* count, const char* names);

// Those of this process, which are made CLOEXEC; looked for in the first call, which must come
// before anything is forked.
const InheritedSockets& inherited_sockets();

// Puts the descriptors in place of the addresses that mean them, one address for each:
// "systemd:NAME" has all of that name; "systemd" those with the name of its pool, or else all that
// no other address has. An address that has none gets Address::missing.
void assign_sockets(const InheritedSockets& sockets, Settings& settings);

}  // namespace pycgid
