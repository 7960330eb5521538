// What a connection still has to send: bytes, and between them pieces of files for sendfile(2).
// The gateway's thread only; nothing here blocks.
#pragma once

#include "pyhost/unique_fd.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace pycgid {

class TlsStream;

class OutputQueue {
 public:
  enum class Flushed {
    all,             // nothing is left
    blocked,         // the socket takes no more for now
    broken,          // the peer is gone
    short_file,      // a file became shorter than promised; what was promised cannot be kept
    unreadable_file  // a file cannot be read; errno says why
  };

  // Where encoders append. The reference is valid until flush().
  std::string& bytes() { return buffer_; }
  // Sends `length` bytes of the file from `offset` on, behind everything appended so far.
  void add_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset, std::uint64_t length);

  std::uint64_t pending() const { return buffer_.size() - sent_ + file_bytes_; }
  // Bytes that the socket has taken since the queue was made.
  std::uint64_t total_sent() const { return total_sent_; }

  Flushed flush(int socket);
  // The same through TLS; `total_sent` counts plaintext whose record the socket has taken whole.
  Flushed flush(TlsStream& tls);

 private:
  struct FilePiece {
    std::shared_ptr<pyhost::UniqueFd> file;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::size_t at = 0;  // where in buffer_ it stands
  };

  Flushed send_bytes(int socket, std::size_t end);
  Flushed send_file(int socket);
  std::string_view next_record(std::span<char> room, bool& short_file) const;
  void drop_record(std::size_t bytes);
  void drop_sent();

  std::string buffer_;
  std::size_t sent_ = 0;                          // of buffer_
  std::unique_ptr<std::deque<FilePiece>> files_;  // made for the first file
  std::uint64_t file_bytes_ = 0;
  std::uint64_t total_sent_ = 0;
};

}  // namespace pycgid
