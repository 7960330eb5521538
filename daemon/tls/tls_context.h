// From PEM to OpenSSL's context, in which all TLS connections of a pool begin. The master makes one
// to see that the files do, the gateway to use it.
#pragma once

#include "daemon/tls/tls_pem.h"

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace pycgid {

struct TlsContextFree {
  void operator()(ssl_ctx_st* context) const;
};

// A connection that has begun keeps what it needs of it.
using TlsContext = std::unique_ptr<ssl_ctx_st, TlsContextFree>;

// What is wrong with one of the files.
struct TlsFault {
  enum class File { certificate, key, client_ca };
  File file = File::certificate;
  std::string why;
  std::string advice;  // may be empty
};

// Null, and `fault` is filled, when it can't be used.
TlsContext make_tls_context(const TlsPem& pem, TlsFault& fault);

// Whether the certificate is valid at present: "" or "it has expired on Jan  1 00:00:00 2026 GMT".
std::string invalid_now(const ssl_ctx_st& context);

}  // namespace pycgid
