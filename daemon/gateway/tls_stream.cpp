// TLS on one connection, see tls_stream.h.
#include "daemon/gateway/tls_stream.h"

#include "daemon/gateway/tls_complaint.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <utility>

namespace pycgid {

// What OpenSSL reads from and writes to: reading takes what was fed, writing goes to the socket.
struct TlsStreamBio {
  static int read(BIO* bio, char* into, int size) {
    TlsStream& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const auto count = std::min(stream.input_.size(), static_cast<std::size_t>(size));
    if (count == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(into, stream.input_.data(), count);
    stream.input_.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* from, int size) {
    const TlsStream& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    for (;;) {
      const ssize_t count =
          ::send(stream.socket_, from, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0) return static_cast<int>(count);
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) BIO_set_retry_write(bio);
      return -1;
    }
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* create(TlsStream& stream) {
    using Method = std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)>;
    static const Method method = [] {
      Method made(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "pycgid"), BIO_meth_free);
      BIO_meth_set_read(made.get(), read);
      BIO_meth_set_write(made.get(), write);
      BIO_meth_set_ctrl(made.get(), control);
      return made;
    }();
    BIO* bio = BIO_new(method.get());
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, &stream);
    BIO_set_init(bio, 1);
    return bio;
  }
};

void TlsStream::SslFree::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

std::unique_ptr<TlsStream> TlsStream::accept(ssl_ctx_st& context, int socket) {
  std::unique_ptr<TlsStream> stream(new TlsStream(socket));
  stream->ssl_.reset(SSL_new(&context));
  if (!stream->ssl_) return nullptr;
  BIO* bio = TlsStreamBio::create(*stream);
  if (bio == nullptr) return nullptr;
  SSL_set_bio(stream->ssl_.get(), bio, bio);
  SSL_set_accept_state(stream->ssl_.get());
  return stream;
}

TlsStream::~TlsStream() = default;

void TlsStream::feed(std::string_view ciphertext) {
  begun_ = true;
  if (input_.empty()) {
    input_ = ciphertext;
    return;
  }
  std::string all(input_);
  all += ciphertext;
  keep(std::move(all));
}

TlsStream::Result TlsStream::read(std::span<char> into) {
  if (failed_) return {};
  ERR_clear_error();
  const int returned = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
  if (!established_ && SSL_is_init_finished(ssl_.get()) == 1) established_ = true;
  const Result result = result_of(returned);
  read_blocked_ = result.status == Status::blocked;
  if (result.status != Status::done) keep(std::string(input_));
  return result;
}

// What was fed lies in somebody else's buffer.
void TlsStream::keep(std::string rest) {
  kept_ = std::move(rest);
  input_ = kept_;
}

TlsStream::Result TlsStream::write(std::string_view bytes) {
  if (failed_) return {};
  ERR_clear_error();
  const Result result =
      result_of(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())));
  // Nothing that the peer sends is needed for writing: renegotiation is off.
  if (result.status == Status::starved || result.status == Status::closed) return {};
  return result;
}

TlsStream::Result TlsStream::result_of(int returned) {
  if (returned > 0) return {Status::done, static_cast<std::size_t>(returned)};
  const int error = SSL_get_error(ssl_.get(), returned);
  switch (error) {
    case SSL_ERROR_WANT_READ:
      return {Status::starved};
    case SSL_ERROR_WANT_WRITE:
      return {Status::blocked};
    case SSL_ERROR_ZERO_RETURN:
      return {Status::closed};
    default:
      fail(error);
      return {};
  }
}

void TlsStream::fail(int error) {
  failed_ = true;
  if (error == SSL_ERROR_SSL) complaint_ = tls_complaint(*ssl_, !established_);
}

bool TlsStream::say_end() {
  if (failed_ || !established_) return true;
  ERR_clear_error();
  const int returned = SSL_shutdown(ssl_.get());
  return returned >= 0 || SSL_get_error(ssl_.get(), returned) != SSL_ERROR_WANT_WRITE;
}

std::string TlsStream::complaint_at_end() const {
  if (!begun_ || established_ || failed_) return {};
  return "it gave its TLS handshake up; its own log tells why, mostly because it does not trust "
         "the "
         "certificate of option \"tls-certificate\"";
}

}  // namespace pycgid
