// What the TLS of a pool rests on, as PEM, and its way from the master, which may read the files,
// to the gateway, which may not: by descriptors of memory, never over a file or the environment.
#pragma once

#include "daemon/link.h"

#include <cstdint>
#include <optional>
#include <string>

namespace pycgid {

struct TlsPem {
  std::string certificate;  // and the chain behind it
  std::string key;
  std::string client_ca;  // empty: clients need no certificate

  bool operator==(const TlsPem&) const = default;
};

// MessageType::tls for a pool. Throws std::system_error when the kernel has no memory for it.
Message tls_message(std::uint32_t pool, const TlsPem& pem);

// The opposite; empty when the message is none.
std::optional<TlsPem> read_tls_message(const Message& message);

}  // namespace pycgid
