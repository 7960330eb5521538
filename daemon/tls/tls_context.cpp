// OpenSSL's context, see tls_context.h.
#include "daemon/tls/tls_context.h"

#include "daemon/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>
#include <utility>

namespace pycgid {
namespace {

template <auto Free>
struct FreeBy {
  template <typename Thing>
  void operator()(Thing* thing) const {
    Free(thing);
  }
};

using Bio = std::unique_ptr<BIO, FreeBy<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreeBy<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;

// Sessions, which clients keep, are for the service whose certificate they were made under.
constexpr std::string_view kSessionContext = "pycgid";

std::string library_reason() {
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  return text == nullptr ? "OpenSSL says no more" : text;
}

Bio reader(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// The next certificate of a file; null at its end, and when something else is wrong there.
Certificate next_certificate(const Bio& bio, bool& wrong) {
  ERR_clear_error();
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  wrong = !certificate && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
  return certificate;
}

bool refuse(TlsFault& fault, TlsFault::File file, std::string why, std::string advice = {}) {
  fault = {file, std::move(why), std::move(advice)};
  return false;
}

bool use_certificates(SSL_CTX* context, const std::string& pem, TlsFault& fault) {
  const auto file = TlsFault::File::certificate;
  const Bio bio = reader(pem);
  bool wrong = false;
  const Certificate own = next_certificate(bio, wrong);
  if (!own) return refuse(fault, file, wrong ? library_reason() : "no certificate in PEM is in it");
  if (SSL_CTX_use_certificate(context, own.get()) != 1) {
    return refuse(fault, file, library_reason());
  }
  while (Certificate link = next_certificate(bio, wrong)) {
    if (SSL_CTX_add1_chain_cert(context, link.get()) != 1) {
      return refuse(fault, file, library_reason());
    }
  }
  return !wrong || refuse(fault, file, library_reason());
}

// Nobody is there to be asked for a passphrase.
int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

bool use_key(SSL_CTX* context, const std::string& pem, TlsFault& fault) {
  const auto file = TlsFault::File::key;
  const Bio bio = reader(pem);
  bool encrypted = false;
  ERR_clear_error();
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &encrypted));
  if (encrypted) {
    return refuse(fault, file, "the key is encrypted",
                  "store it without a passphrase, readable by its owner only: openssl pkey -in "
                  "FILE -out NEW_FILE");
  }
  if (!key) return refuse(fault, file, "no private key in PEM is in it");
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), key.get()) != 1) {
    return refuse(fault, file, concat("it is not the certificate's key: ", library_reason()),
                  "name the key that the certificate of option \"tls-certificate\" was made for");
  }
  return SSL_CTX_use_PrivateKey(context, key.get()) == 1 || refuse(fault, file, library_reason());
}

bool use_client_ca(SSL_CTX* context, const std::string& pem, TlsFault& fault) {
  if (pem.empty()) return true;
  const auto file = TlsFault::File::client_ca;
  const Bio bio = reader(pem);
  bool wrong = false;
  unsigned count = 0;
  while (Certificate authority = next_certificate(bio, wrong)) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1) {
      return refuse(fault, file, library_reason());
    }
    ++count;
  }
  if (wrong) return refuse(fault, file, library_reason());
  if (count == 0) return refuse(fault, file, "no certificate in PEM is in it");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return true;
}

// Besides these, the system's policy (openssl.cnf) decides.
void set_policy(SSL_CTX* context) {
  if (SSL_CTX_get_min_proto_version(context) < TLS1_2_VERSION) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Buffers only while there is something in them: idle connections are many. A write is repeated
  // from wherever the queue has its bytes by then.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Sessions are resumed by tickets, which the clients keep.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context,
                                 reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                 static_cast<unsigned>(kSessionContext.size()));
}

std::string time_text(const ASN1_TIME* time) {
  const Bio bio(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(bio.get(), time);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace

void TlsContextFree::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

TlsContext make_tls_context(const TlsPem& pem, TlsFault& fault) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) {
    refuse(fault, TlsFault::File::certificate, library_reason());
    return context;
  }
  set_policy(context.get());
  const bool usable = use_certificates(context.get(), pem.certificate, fault) &&
                      use_key(context.get(), pem.key, fault) &&
                      use_client_ca(context.get(), pem.client_ca, fault);
  if (!usable) context.reset();
  return context;
}

std::string invalid_now(const ssl_ctx_st& context) {
  const X509* certificate = SSL_CTX_get0_certificate(&context);
  const ASN1_TIME* begin = X509_get0_notBefore(certificate);
  const ASN1_TIME* end = X509_get0_notAfter(certificate);
  if (X509_cmp_current_time(end) < 0) return "it expired on " + time_text(end);
  if (X509_cmp_current_time(begin) > 0) return "it is not valid before " + time_text(begin);
  return {};
}

}  // namespace pycgid
