#include "daemon/gateway/output_queue.h"

#include "daemon/at_once.h"

#include <algorithm>
#include <cerrno>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <utility>

namespace pycgid {

static_assert(sizeof(off_t) == 8, "bodies over 2 GiB: compile with _FILE_OFFSET_BITS=64");

namespace {

constexpr std::size_t kCompactAt = 256 * 1024;

bool try_again(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

void OutputQueue::add_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset,
                           std::uint64_t length) {
  if (length == 0) return;
  if (!files_) files_ = std::make_unique<std::deque<FilePiece>>();
  files_->push_back({std::move(file), offset, length, buffer_.size()});
  file_bytes_ += length;
}

OutputQueue::Flushed OutputQueue::flush(int socket) {
  for (;;) {
    const bool has_file = files_ && !files_->empty();
    const std::size_t end = has_file ? files_->front().at : buffer_.size();
    if (sent_ < end) {
      if (const auto result = send_bytes(socket, end); result != Flushed::all) return result;
      continue;
    }
    if (!has_file) break;
    if (const auto result = send_file(socket); result != Flushed::all) return result;
  }
  drop_sent();
  return Flushed::all;
}

OutputQueue::Flushed OutputQueue::send_bytes(int socket, std::size_t end) {
  const int more = end < buffer_.size() || (files_ && !files_->empty()) ? MSG_MORE : 0;
  const ssize_t count =
      ::send(socket, buffer_.data() + sent_, end - sent_, MSG_NOSIGNAL | MSG_DONTWAIT | more);
  if (count < 0) {
    if (errno == EINTR) return Flushed::all;
    if (!try_again(errno)) return Flushed::broken;
    if (sent_ > kCompactAt) drop_sent();
    return Flushed::blocked;
  }
  sent_ += static_cast<std::size_t>(count);
  total_sent_ += static_cast<std::uint64_t>(count);
  return Flushed::all;
}

OutputQueue::Flushed OutputQueue::send_file(int socket) {
  FilePiece& piece = files_->front();
  auto offset = static_cast<off_t>(piece.offset);
  const ssize_t count = ::sendfile(socket, piece.file->get(), &offset, at_once(piece.length));
  if (count < 0) {
    if (errno == EINTR) return Flushed::all;
    if (errno == EIO) return Flushed::unreadable_file;
    return try_again(errno) ? Flushed::blocked : Flushed::broken;
  }
  if (count == 0) return Flushed::short_file;
  const auto sent = static_cast<std::uint64_t>(count);
  piece.offset += sent;
  piece.length -= sent;
  file_bytes_ -= sent;
  total_sent_ += sent;
  if (piece.length == 0) files_->pop_front();
  return Flushed::all;
}

void OutputQueue::drop_sent() {
  if (sent_ == buffer_.size()) {
    std::string().swap(buffer_);  // an idle connection owns no buffer
  } else {
    buffer_.erase(0, sent_);
  }
  if (files_) {
    for (FilePiece& piece : *files_) piece.at -= std::min(piece.at, sent_);
  }
  sent_ = 0;
}

}  // namespace pycgid
