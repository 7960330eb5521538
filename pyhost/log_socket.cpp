#include "pyhost/log_socket.h"

#include "pyhost/own_fds.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace pyhost {
namespace {

constexpr std::string_view kLevels = "EWNIDS";
constexpr char kSmall = 'a' - 'A';
// The kernel doubles it, and counts what it needs for a packet itself.
constexpr int kSendBuffer = 256 * 1024;

// Read by any thread.
struct {
  std::atomic<int> fd{-1};
  std::atomic<pid_t> owner{-1};  // the worker, or the template
} log_socket;

// What fits of a text that goes on behind it, to the end of a character of UTF-8.
std::string_view fitting(std::string_view text) {
  text = text.substr(0, kMaxLogText);
  for (std::size_t back = 1; back <= 4 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t whole = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    return whole > back ? text.substr(0, text.size() - back) : text;
  }
  return text;
}

// What is said of the rest of a text that was cut; nothing where nothing was.
class CutNote {
 public:
  explicit CutNote(std::size_t dropped) {
    if (dropped == 0) return;
    append("... (cut, ");
    size_ = static_cast<std::size_t>(
        std::to_chars(bytes_.data() + size_, bytes_.data() + bytes_.size(), dropped).ptr -
        bytes_.data());
    append(" bytes more)");
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  void append(std::string_view text) {
    std::copy(text.begin(), text.end(), bytes_.begin() + size_);
    size_ += text.size();
  }

  std::array<char, 64> bytes_;
  std::size_t size_ = 0;
};

iovec part_of(std::string_view text) {
  return {const_cast<char*>(text.data()), text.size()};
}

// A pipe that somebody made non-blocking is waited for; one that is gone loses the text.
void write_plainly(std::string_view text, std::size_t dropped) {
  const CutNote note(dropped);
  std::array<iovec, 3> parts{part_of(text), part_of(note.view()), part_of("\n")};
  while (::writev(STDERR_FILENO, parts.data(), parts.size()) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return;
    pollfd output{STDERR_FILENO, POLLOUT, 0};
    ::poll(&output, 1, -1);
  }
}

// False when the socket takes no packet of this size.
bool send_packet(int fd, const LogEntry& entry, std::size_t dropped) {
  const std::string_view id = entry.request_id.substr(0, kMaxLogId);
  std::array<char, 2> head{static_cast<char>(entry.level), static_cast<char>(id.size())};
  if (entry.is_applications) head[0] = static_cast<char>(head[0] + kSmall);
  const CutNote note(dropped);
  std::array<iovec, 4> parts{part_of({head.data(), head.size()}), part_of(id), part_of(entry.text),
                             part_of(note.view())};
  msghdr packet{};
  packet.msg_iov = parts.data();
  packet.msg_iovlen = parts.size();
  while (::sendmsg(fd, &packet, MSG_NOSIGNAL) < 0) {
    if (errno == EMSGSIZE) return false;
    if (errno != EINTR) return true;  // nobody hears it any more
  }
  return true;
}

}  // namespace

std::error_code create_log_socket(LogSocket& ends) {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return {errno, std::generic_category()};
  }
  ends.gateway.reset(fds[0]);
  ends.worker.reset(fds[1]);
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  // An administrator may have set a small default; a smaller limit only cuts entries shorter.
  ::setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  ::shutdown(fds[1], SHUT_RD);
  mark_as_ours(fds[1]);
  return {};
}

std::optional<LogEntry> parse_entry(std::string_view packet) {
  if (packet.size() < 2) return std::nullopt;
  LogEntry entry;
  char level = packet[0];
  entry.is_applications = level >= 'a';
  if (entry.is_applications) level = static_cast<char>(level - kSmall);
  const auto id_bytes = static_cast<unsigned char>(packet[1]);
  packet.remove_prefix(2);
  if (kLevels.find(level) == kLevels.npos) return std::nullopt;
  if (id_bytes > std::min(packet.size(), kMaxLogId)) return std::nullopt;
  entry.level = static_cast<LogLevel>(level);
  entry.request_id = packet.substr(0, id_bytes);
  entry.text = packet.substr(id_bytes);
  return entry;
}

std::string cut_text(std::string_view text, std::size_t dropped) {
  if (text.size() <= kMaxLogText && dropped == 0) return std::string(text);
  std::string cut(fitting(text));
  return cut.append(CutNote(dropped + text.size() - cut.size()).view());
}

void set_log_socket(int fd) {
  const int before = log_socket.fd.exchange(fd);
  log_socket.owner = ::getpid();
  if (is_ours(before)) ::close(before);
}

bool is_heard() {
  return is_ours(log_socket.fd);
}

void say(const LogEntry& entry, std::size_t dropped) {
  const int fd = log_socket.fd;
  if (!is_ours(fd)) {
    if (log_socket.owner != ::getpid()) return write_plainly(entry.text, dropped);
    log_socket.owner = -1;
    end_without("log");
  }
  LogEntry shorter = entry;
  if (entry.text.size() > kMaxLogText || dropped > 0) shorter.text = fitting(entry.text);
  const auto left_out = [&] { return dropped + entry.text.size() - shorter.text.size(); };
  while (!send_packet(fd, shorter, left_out()) && !shorter.text.empty()) {
    shorter.text = shorter.text.substr(0, shorter.text.size() / 2);
  }
}

}  // namespace pyhost
