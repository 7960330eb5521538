// What new TLS connections of a pool begin with: its certificate and key, which may be replaced
// while the gateway runs. The gateway's thread only.
#pragma once

#include "daemon/gateway/tls_stream.h"
#include "daemon/link.h"
#include "daemon/tls/tls_context.h"

#include <memory>

namespace pycgid {

class TlsDoor {
 public:
  // Takes what the master sent (MessageType::tls). Connections that have begun are not touched.
  void renew(const Message& message);
  // The server's side of a new connection; null when that cannot be.
  std::unique_ptr<TlsStream> accept(int socket) const;

 private:
  TlsContext context_;
};

}  // namespace pycgid
