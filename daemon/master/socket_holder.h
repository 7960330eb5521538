// Who has a socket that we cannot have, for messages.
#pragma once

#include "daemon/settings.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace pycgid {

struct SocketHolder {
  pid_t pid = 0;
  std::string text;        // "process 4711 (nginx)"
  bool is_pycgid = false;  // a master or a gateway, such as the daemon that already runs
};

// Whoever listens at the address; empty when that is nobody, or nobody that this process may see.
std::optional<SocketHolder> find_holder(const Address& address);

// The process, if it is still there.
std::optional<SocketHolder> holder_with_pid(pid_t pid);

}  // namespace pycgid
