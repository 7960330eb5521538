// Sockets whose path was removed under them. Part of ManagedPool, see managed_pool.h.
#include "daemon/handover.h"
#include "daemon/log.h"
#include "daemon/master/failure_text.h"
#include "daemon/master/managed_pool.h"
#include "daemon/master/privileges.h"
#include "daemon/text.h"

#include <algorithm>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

std::string list_text(const std::vector<Address>& addresses) {
  std::string text;
  for (const Address& address : addresses) text += concat(text.empty() ? "" : ", ", address.text);
  return text;
}

bool is_path(const Address& address) {
  return address.kind == Address::Kind::unix_path;
}

}  // namespace

// All but those of TLS without its files: nothing could be answered there. Where the user who is to
// own a Unix socket is not known yet, it is the master's own until he is. Throws StartupError when
// something is missing, with what could be bound bound.
void ManagedPool::bind_what_answers() {
  std::vector<Address> addresses = addresses_of(settings());
  std::optional<StartupError> wrong;
  const PoolSettings owned =
      std::ranges::any_of(addresses, is_path) ? with_known_owner(settings(), wrong) : settings();
  if (!plan_.tls) std::erase_if(addresses, [](const Address& address) { return address.tls; });
  if (has_makeshift_owner_ && !wrong) {
    has_makeshift_owner_ = false;
    give_socket_rights();
  }
  Binding done = bind_addresses(addresses, owned, sockets_, context_.global.backlog);
  const auto has_path = [](const BoundSocket& socket) { return is_path(socket.address()); };
  if (wrong && std::ranges::any_of(done.sockets, has_path)) has_makeshift_owner_ = true;
  add_sockets(std::move(done.sockets));
  if (!wrong) wrong = std::move(done.failure);
  if (wrong) throw *wrong;
}

// What becomes of the requests of a pool that does not start, behind the reason.
std::string ManagedPool::waiting_text() {
  const std::vector<Address> missing = unbound(settings());
  const std::string bound = addresses_text();
  std::string text = "; ";
  if (missing.empty()) {
    text += "its requests are answered 503 while ";
  } else {
    if (!bound.empty()) text += concat("requests at ", bound, " are answered 503, ");
    text += concat("nothing listens at ", list_text(missing), " while ");
  }
  text += "it is tried again and again";
  if (has_makeshift_owner_) {
    text +=
        concat("; its sockets belong to user ", in_quotes(user_name(::geteuid())), " meanwhile");
  }
  return text;
}

// What has connected before is still accepted by the gateway, from the old socket.
void ManagedPool::tend_sockets() {
  for (auto socket = sockets_.begin(); socket != sockets_.end(); ++socket) {
    if (!socket->has_lost_path()) continue;
    const Address address = socket->address();
    std::optional<StartupError> unknown;
    const PoolSettings owned =
        has_makeshift_owner_ ? with_known_owner(settings(), unknown) : settings();
    const std::string name = listener_name(address.protocol, address.text);
    try {
      const auto fresh =
          sockets_.insert(socket, bind_again(address, owned, context_.global.backlog));
      tell(MessageType::unlisten, name);
      sockets_.erase(socket);
      tell(MessageType::listen, name, fresh->fd().get());
      socket = fresh;
      socket_trouble_.clear();
      log_notice(concat("the path of ", address.text, " was removed, it is bound again"));
    } catch (const StartupError& error) {
      const std::string reason = without_numbers_of_processes(error.text);
      if (std::exchange(socket_trouble_, reason) == reason) continue;
      log_error(concat("the path of ", address.text, " was removed or replaced: ", error.text,
                       "; trying again"));
    }
  }
}

}  // namespace pycgid
