// pycgidctl's end of the control socket, see client.h.
#include "daemon/ctl/client.h"

#include "daemon/control_protocol.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace pycgid::ctl {
namespace {

using TimePoint = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

constexpr std::chrono::seconds kConnectPatience{5};

bool is_socket(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

// What to do about a connection that fails.
std::string advice(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "is pycgid running, and its option \"control\" set to this path?";
    case EACCES:
    case EPERM:
      return "ask as the user that pycgid was started by, root in most cases";
    case ECONNREFUSED:
      return is_socket(path) ? "nobody listens there any more: start pycgid"
                             : "this is no socket: give --control the path of option \"control\"";
    case EAGAIN:
      return "is the master stopped or stuck?";
    default:
      return "is this the path of pycgid's option \"control\"?";
  }
}

// Until it is readable; false when `due` comes first.
bool wait_readable(int fd, std::optional<TimePoint> due) {
  pollfd entry{fd, POLLIN, 0};
  for (;;) {
    int patience = -1;
    if (due) {
      const auto left = std::chrono::ceil<Milliseconds>(*due - std::chrono::steady_clock::now());
      patience = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    const int ready = ::poll(&entry, 1, patience);
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

// "ok 123": the word and the number of a status line; empty when it is none.
std::optional<std::pair<std::string, std::size_t>> split_status(std::string_view line) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view number = line.substr(blank + 1);
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), length);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return std::pair(std::string(line.substr(0, blank)), length);
}

}  // namespace

Client::Client(std::string path) : path_(std::move(path)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) fail("the path is too long for a socket");
  std::ranges::copy(path_, address.sun_path);
  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_) fail(reason(errno));
  // A connect waits while too many others wait, too.
  const timeval patience{kConnectPatience.count(), 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket_.get(), where, sizeof address) != 0) {
    const int error = errno;
    fail(concat(reason(error), "; ", advice(path_, error)));
  }
}

void Client::fail(std::string_view why) const {
  throw Unreachable{concat("cannot reach pycgid at ", in_quotes(path_), ": ", why)};
}

// What comes next; empty at the end.
std::string Client::receive(std::optional<TimePoint> due) {
  std::array<char, 65536> chunk;
  if (!wait_readable(socket_.get(), due)) {
    fail("it is connected, but does not answer; is the master stopped or stuck?");
  }
  const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
  if (got < 0) fail(reason(errno));
  return {chunk.data(), static_cast<std::size_t>(got)};
}

Answer Client::ask(std::string_view request, std::optional<Milliseconds> patience) {
  std::optional<TimePoint> due;
  if (patience) due = std::chrono::steady_clock::now() + *patience;
  const std::string line = concat(request, "\n");
  if (line.size() > kMaxControlRequest) fail("the request is too long");
  static_cast<void>(::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL));
  std::string text;
  while (text.find('\n') == std::string::npos) {
    const std::string more = receive(due);
    if (more.empty()) fail("it has ended the connection without an answer; see its log");
    text += more;
  }
  const std::size_t end = text.find('\n');
  const auto status = split_status(std::string_view(text).substr(0, end));
  if (!status) fail("what answers there is not pycgid");
  text.erase(0, end + 1);
  while (text.size() < status->second) {
    const std::string more = receive(due);
    if (more.empty()) fail("it has ended the connection within its answer; see its log");
    text += more;
  }
  return {status->first == kControlOk, std::move(text)};
}

// The connection ends a moment before the process does, which has other sockets to remove then.
void Client::wait_end() {
  ucred master{};
  socklen_t size = sizeof master;
  getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &master, &size);
  // Of a daemon in another pid name space, the connection's end is all that can be seen.
  const pyhost::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, master.pid, 0)));
  while (!receive(std::nullopt).empty()) {
  }
  if (process) wait_readable(process.get(), std::nullopt);
}

}  // namespace pycgid::ctl
