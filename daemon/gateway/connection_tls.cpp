// How a connection reads through TLS, see connection.h.
#include "daemon/gateway/connection.h"

#include <array>

namespace pycgid {
namespace {

// The most plaintext that a record holds.
constexpr std::size_t kRecord = 16 * 1024;

}  // namespace

void Connection::on_ciphertext(std::string_view bytes) {
  if (lingering_) return;
  tls_->feed(bytes);
  decrypt();
}

void Connection::decrypt() {
  std::array<char, kRecord> plain;
  while (!dead_ && !lingering_) {
    const auto [status, count] = tls_->read(plain);
    switch (status) {
      case TlsStream::Status::done:
        on_bytes({plain.data(), count});
        break;
      case TlsStream::Status::starved:
        return update_events();
      case TlsStream::Status::blocked:
        watch();
        return update_events();
      case TlsStream::Status::closed:
        return on_eof(false);
      case TlsStream::Status::failed:
        return on_tls_failed();
    }
  }
}

// A peer that gives up mostly says why before it resets the connection.
void Connection::on_broken() {
  if (is_shaking_hands()) read();
  on_lost();
}

// The peer has been sent the reason, which an early close might take from it.
void Connection::on_tls_failed() {
  if (!is_shaking_hands()) return fail(tls_->complaint());
  complain(tls_->complaint());
  drain_and_close();
}

}  // namespace pycgid
