// Sockets whose path was removed under them. Part of ManagedPool, see managed_pool.h.
#include "daemon/handover.h"
#include "daemon/log.h"
#include "daemon/master/managed_pool.h"
#include "daemon/text.h"

#include <utility>

namespace pycgid {

// What has connected before is still accepted by the gateway, from the old socket.
void ManagedPool::tend_sockets() {
  for (auto socket = sockets_.begin(); socket != sockets_.end(); ++socket) {
    if (!socket->has_lost_path()) continue;
    const Address address = socket->address();
    const std::string name = listener_name(address.protocol, address.text);
    try {
      const auto fresh =
          sockets_.insert(socket, bind_again(address, settings(), context_.global.backlog));
      tell(MessageType::unlisten, name);
      sockets_.erase(socket);
      tell(MessageType::listen, name, fresh->fd().get());
      socket = fresh;
      socket_trouble_.clear();
      log_notice(concat("the path of ", address.text, " was removed, it is bound again"));
    } catch (const StartupError& error) {
      if (std::exchange(socket_trouble_, error.text) == error.text) continue;
      log_error(concat("the path of ", address.text, " was removed or replaced: ", error.text,
                       "; trying again"));
    }
  }
}

}  // namespace pycgid
