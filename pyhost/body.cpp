#include "pyhost/body.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

namespace pyhost {

static_assert(sizeof(off_t) == 8, "bodies over 2 GiB: compile with _FILE_OFFSET_BITS=64");

namespace {

constexpr std::size_t kReadAhead = 32 * 1024;

}  // namespace

Body::Body(WorkerEnd& worker, const TakenRequest& request)
    : worker_(worker),
      window_(request.inlined_body),
      source_(request.head.body),
      slot_(request.slot),
      generation_(request.generation),
      length_(request.head.body_bytes) {
  if (source_ == BodyMode::inlined) source_ = BodyMode::none;
  // Received even if nobody reads it: the next request's descriptor waits behind it.
  if (source_ == BodyMode::file) file_ = worker_.receive_file(slot_);
  if (source_ == BodyMode::file && !file_) error_ = EMFILE;  // the one reason why none comes
}

Body::Body(Body& front, std::uint64_t at)
    : worker_(front.worker_),
      window_(front.window_.substr(
          static_cast<std::size_t>(std::min<std::uint64_t>(at, front.window_.size())))),
      source_(front.source_),
      slot_(front.slot_),
      generation_(front.generation_),
      offset_(at),
      length_(front.length_) {
  front.window_.remove_suffix(window_.size());
  front.length_ = at;
  if (source_ == BodyMode::file) {
    file_.reset(::fcntl(front.file_.get(), F_DUPFD_CLOEXEC, 0));
    if (!file_) error_ = front.error_ != 0 ? front.error_.load() : errno;
  }
}

std::uint64_t Body::expected() const {
  if (source_ == BodyMode::file) return length_ - offset_;
  return source_ == BodyMode::ring ? kReadAhead : 0;
}

Body::Got Body::read(std::span<char> into, std::size_t& count) {
  if (closed_) return Got::closed;
  if (source_ == BodyMode::none) return Got::end;
  return source_ == BodyMode::ring ? read_ring(into, count) : read_file(into, count);
}

Body::Got Body::read_ring(std::span<char> into, std::size_t& count) {
  for (;;) {
    count = worker_.read_body(slot_, into);
    if (count > 0) return Got::bytes;
    const WorkerEnd::BodyState state = worker_.body_state(slot_);
    if (state == WorkerEnd::BodyState::end) return Got::end;
    if (state == WorkerEnd::BodyState::broken || worker_.aborted(slot_)) return Got::broken;
    worker_.wait_body(slot_);
  }
}

Body::Got Body::read_file(std::span<char> into, std::size_t& count) {
  if (offset_ >= length_) return Got::end;
  if (!file_) return Got::unreadable;
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), length_ - offset_));
  ssize_t got = 0;
  do {
    got = ::pread(file_.get(), into.data(), wanted, static_cast<off_t>(offset_));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    error_ = got < 0 ? errno : EIO;
    return Got::unreadable;
  }
  count = static_cast<std::size_t>(got);
  offset_ += count;
  return Got::bytes;
}

Body::Got Body::fill() {
  if (closed_) return Got::closed;
  if (source_ == BodyMode::none) return Got::end;
  const std::size_t kept = window_.size();
  if (kept > 0) std::memmove(buffer_.data(), window_.data(), kept);
  window_ = {buffer_.data(), kept};
  if (buffer_.capacity() < kept + kReadAhead && !buffer_.reserve(2 * kept + kReadAhead) &&
      !buffer_.reserve(kept + kReadAhead)) {
    return Got::no_memory;
  }
  std::size_t count = 0;
  const Got got = read({buffer_.data() + kept, buffer_.capacity() - kept}, count);
  window_ = {buffer_.data(), kept + count};
  return got;
}

void Body::close() {
  closed_ = true;
  window_ = {};
}

}  // namespace pyhost
