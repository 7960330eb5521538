// TLS on one connection, whose owner reads the socket: ciphertext is fed in, plaintext comes out.
// What is to be sent goes straight to the socket. Nothing blocks. The gateway's thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct bio_st;
struct ssl_st;
struct ssl_ctx_st;

namespace pycgid {

class TlsStream {
 public:
  enum class Status {
    done,     // count is what was read or written
    starved,  // everything fed is used up
    blocked,  // the socket takes no more for now
    closed,   // the peer has said that it sends no more
    failed    // it can't be used any more; complaint() says why
  };
  struct Result {
    Status status = Status::failed;
    std::size_t count = 0;
  };

  // The server's side of a new connection. Null when there is no memory for it. The socket is not
  // owned.
  static std::unique_ptr<TlsStream> accept(ssl_ctx_st& context, int socket);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Adds what the socket gave. The bytes must stay there until read() returns something else than
  // `done`; what is left by then is kept here.
  void feed(std::string_view ciphertext);
  // Shakes hands, or gives at most one record of plaintext.
  Result read(std::span<char> into);
  // Sends at most one record. After `blocked`, the next write must begin with the same bytes.
  Result write(std::string_view bytes);
  // Tells the peer that nothing more comes: what it has got is whole. False: once more, when the
  // socket takes more.
  bool say_end();

  bool established() const { return established_; }
  // read() goes on when the socket takes more, and nothing should be fed before.
  bool read_blocked() const { return read_blocked_; }
  // Why it failed, and what to do about it; "" when there is nothing to tell.
  const std::string& complaint() const { return complaint_; }
  // The connection ended: what there is to tell about that.
  std::string complaint_at_end() const;

 private:
  friend struct TlsStreamBio;

  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };

  explicit TlsStream(int socket) : socket_(socket) {}
  void keep(std::string rest);
  Result result_of(int returned);
  void fail(int error);

  int socket_;
  std::unique_ptr<ssl_st, SslFree> ssl_;
  std::string_view input_;  // fed and not yet taken
  std::string kept_;        // holds it while nobody reads
  std::string complaint_;
  bool begun_ = false;
  bool established_ = false;
  bool read_blocked_ = false;
  bool failed_ = false;
};

}  // namespace pycgid
