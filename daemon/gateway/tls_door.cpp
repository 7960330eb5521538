// A pool's TLS, see tls_door.h.
#include "daemon/gateway/tls_door.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <utility>

namespace pycgid {

void TlsDoor::renew(const Message& message) {
  const auto pem = read_tls_message(message);
  TlsFault fault;
  TlsContext context = pem ? make_tls_context(*pem, fault) : nullptr;
  // The master has tried the same, so that this is a matter of memory.
  if (!context) return log_error("the gateway cannot use the certificate it was sent, ignoring it");
  if (context_) log_notice("new TLS connections use " + in_quotes(message.text) + " as it is now");
  context_ = std::move(context);
}

std::unique_ptr<TlsStream> TlsDoor::accept(int socket) const {
  return context_ ? TlsStream::accept(*context_, socket) : nullptr;
}

}  // namespace pycgid
