// OpenSSL's errors, see tls_complaint.h.
#include "daemon/gateway/tls_complaint.h"

#include "daemon/text.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace pycgid {
namespace {

std::string reason_text(unsigned long error) {
  const char* text = ERR_reason_error_string(error);
  return text == nullptr ? concat("OpenSSL's error ", error) : text;
}

// The peer told its reason. What it dislikes is our certificate, most of the time.
std::string alert_text(int reason) {
  const std::string what = SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
  switch (reason) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      return concat("it refuses our certificate (", what,
                    "); let it trust who has issued that of option \"tls-certificate\"");
    default:
      return concat("it gave up, with alert \"", what,
                    "\"; compare the TLS settings of both sides");
  }
}

std::string handshake_text(const SSL& ssl, unsigned long error) {
  const int reason = ERR_GET_REASON(error);
  switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "it has sent no certificate (option \"tls-client-ca\"); give the front server one "
             "that "
             "an authority of that file has signed";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return concat("its certificate is refused: ",
                    X509_verify_cert_error_string(SSL_get_verify_result(&ssl)),
                    " (option \"tls-client-ca\"); give the front server one that is valid and "
                    "signed by an authority of that file");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
      return "it does not speak TLS; let the front server do so, or connect to an address without "
             "\"tls:\"";
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "it speaks no version of TLS that is allowed here; TLS 1.2 is the least";
    case SSL_R_NO_SHARED_CIPHER:
      return "it has no cipher in common with us; compare the TLS settings of both sides";
    default:
      return concat("the TLS handshake failed: ", reason_text(error),
                    "; compare the TLS settings of both sides");
  }
}

}  // namespace

std::string tls_complaint(const ssl_st& ssl, bool in_handshake) {
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  if (reason > SSL_AD_REASON_OFFSET) return alert_text(reason);
  if (in_handshake) return handshake_text(ssl, error);
  return concat("TLS failed: ", reason_text(error));
}

}  // namespace pycgid
