// A connection of pycgidctl's, see control_connection.h.
#include "daemon/master/control_connection.h"

#include "daemon/at_once.h"
#include "daemon/control_protocol.h"
#include "daemon/text.h"

#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <utility>

namespace pycgid {
namespace {

bool would_block(ssize_t result) {
  return result < 0 && (errno == EAGAIN || errno == EINTR);
}

}  // namespace

ControlConnection::ControlConnection(pyhost::UniqueFd socket, TimePoint due)
    : socket_(std::move(socket)), due_(due) {}

std::uint32_t ControlConnection::wanted_events() const {
  if (phase_ == Phase::reading) return EPOLLIN;
  return phase_ == Phase::writing ? EPOLLOUT : 0U;  // EPOLLHUP comes in any case
}

std::string ControlConnection::peer() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return "somebody unknown";
  }
  return concat("uid ", credentials.uid, ", pid ", credentials.pid);
}

std::optional<std::string> ControlConnection::read() {
  if (phase_ != Phase::reading) return std::nullopt;
  std::array<char, kMaxControlRequest> chunk;
  const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (would_block(got)) return std::nullopt;
  if (got > 0) text_.append(chunk.data(), static_cast<std::size_t>(got));
  const std::size_t end = text_.find('\n');
  if (end < kMaxControlRequest) {
    phase_ = Phase::waiting;
    return std::exchange(text_, {}).substr(0, end);
  }
  if (got <= 0 || text_.size() >= kMaxControlRequest) hang_up();
  return std::nullopt;
}

void ControlConnection::begin_answer(bool ok, std::uint64_t length, TimePoint due) {
  phase_ = Phase::writing;
  due_ = due;
  text_ = concat(ok ? kControlOk : kControlNo, " ", length, "\n");
}

void ControlConnection::answer(bool ok, std::string_view text, TimePoint due) {
  if (phase_ != Phase::waiting) return;
  begin_answer(ok, text.size(), due);
  text_ += text;
}

void ControlConnection::answer_from(pyhost::UniqueFd memory, std::uint64_t size, TimePoint due) {
  if (phase_ != Phase::waiting) return;
  begin_answer(true, size, due);
  memory_ = std::move(memory);
  memory_left_ = size;
}

void ControlConnection::write() {
  if (phase_ != Phase::writing || !write_text() || !write_memory()) return;
  if (stays_) {
    phase_ = Phase::waiting;
    due_.reset();
  } else {
    hang_up();
  }
}

// Both return true when nothing is left.
bool ControlConnection::write_text() {
  while (!text_.empty()) {
    const ssize_t sent =
        ::send(socket_.get(), text_.data(), text_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (!would_block(sent)) hang_up();
      return false;
    }
    text_.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

bool ControlConnection::write_memory() {
  while (memory_left_ > 0) {
    const ssize_t sent =
        ::sendfile(socket_.get(), memory_.get(), &memory_at_, at_once(memory_left_));
    if (sent <= 0) {
      if (!would_block(sent)) hang_up();
      return false;
    }
    memory_left_ -= static_cast<std::uint64_t>(sent);
  }
  return true;
}

// A worker that is being forked holds a copy of the descriptor for a moment: the other side must
// see the end at once.
void ControlConnection::hang_up() {
  phase_ = Phase::over;
  ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace pycgid
