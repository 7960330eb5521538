// How the queue leaves through TLS, see output_queue.h: in records as full as can be, whatever
// bytes and pieces of files they are made of.
#include "daemon/gateway/output_queue.h"
#include "daemon/gateway/tls_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace pycgid {
namespace {

constexpr std::size_t kRecord = 16 * 1024;
constexpr std::size_t kCompactAt = 256 * 1024;

// Up to `room`; fewer when the file has become shorter.
std::size_t read_file(int fd, std::span<char> room, std::uint64_t offset) {
  std::size_t got = 0;
  while (got < room.size()) {
    const ssize_t count =
        ::pread(fd, room.data() + got, room.size() - got, static_cast<off_t>(offset + got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

}  // namespace

// After a record that the socket did not take whole, this gives the same bytes again, which is what
// TLS asks for: the queue only grows at its end.
std::string_view OutputQueue::next_record(std::span<char> room, bool& short_file) const {
  const std::string_view bytes = std::string_view(buffer_).substr(sent_);
  if (!files_ || files_->empty()) return bytes.substr(0, room.size());
  std::size_t used = 0;
  std::size_t at = sent_;
  const auto add_bytes = [&](std::size_t end) {
    const std::size_t count = std::min(end - at, room.size() - used);
    std::memcpy(room.data() + used, buffer_.data() + at, count);
    used += count;
    at += count;
  };
  for (const FilePiece& piece : *files_) {
    add_bytes(piece.at);
    const auto wanted = std::min<std::uint64_t>(piece.length, room.size() - used);
    const std::size_t got = read_file(
        piece.file->get(), room.subspan(used, static_cast<std::size_t>(wanted)), piece.offset);
    used += got;
    short_file = got < wanted;
    if (short_file || used == room.size()) return {room.data(), used};
  }
  add_bytes(buffer_.size());
  return {room.data(), used};
}

void OutputQueue::drop_record(std::size_t bytes) {
  total_sent_ += bytes;
  while (bytes > 0) {
    const bool has_file = files_ && !files_->empty();
    const std::size_t end = has_file ? files_->front().at : buffer_.size();
    const std::size_t count = std::min(bytes, end - sent_);
    sent_ += count;
    bytes -= count;
    if (bytes == 0 || !has_file) return;
    FilePiece& piece = files_->front();
    const auto of_file = std::min<std::uint64_t>(bytes, piece.length);
    piece.offset += of_file;
    piece.length -= of_file;
    file_bytes_ -= of_file;
    bytes -= static_cast<std::size_t>(of_file);
    if (piece.length == 0) files_->pop_front();
  }
}

OutputQueue::Flushed OutputQueue::flush(TlsStream& tls) {
  std::array<char, kRecord> room;
  while (pending() > 0) {
    bool short_file = false;
    const std::string_view record = next_record(room, short_file);
    if (record.empty()) return short_file ? Flushed::short_file : Flushed::broken;
    const auto [status, count] = tls.write(record);
    if (status == TlsStream::Status::blocked) {
      if (sent_ > kCompactAt) drop_sent();
      return Flushed::blocked;
    }
    if (status != TlsStream::Status::done) return Flushed::broken;
    drop_record(count);
  }
  drop_sent();
  return Flushed::all;
}

}  // namespace pycgid
