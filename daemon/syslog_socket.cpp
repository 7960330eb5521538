// The system's log, see syslog_socket.h.
#include "daemon/syslog_socket.h"

#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

namespace pycgid {
namespace {

constexpr std::string_view kName = "syslog";

// What a log daemon takes that limits messages at all: RFC 5424 section 6.1.
constexpr std::size_t kSurelyFits = 2048;
constexpr std::string_view kCut = "... (cut)";

struct Facility {
  std::string_view name;
  int code;
};

constexpr Facility kFacilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},     {"news", LOG_NEWS},         {"syslog", LOG_SYSLOG},
    {"user", LOG_USER},     {"uucp", LOG_UUCP},         {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},     {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7}};

// Local time without a year, as RFC 3164 section 4.1.2 has it and every log daemon reads it.
std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 32> text{};
  return {text.data(), strftime(text.data(), text.size(), "%b %e %H:%M:%S", &local)};
}

// The other end has gone, and perhaps come back.
bool is_worth_a_connect(int error) {
  return error == ENOTCONN || error == ECONNREFUSED || error == ECONNRESET || error == EBADF;
}

}  // namespace

bool is_syslog(std::string_view where) {
  return where.starts_with(kName) && (where.size() == kName.size() || where[kName.size()] == ':');
}

std::optional<int> syslog_facility(std::string_view where) {
  if (!is_syslog(where)) return std::nullopt;
  where.remove_prefix(kName.size());
  if (where.empty()) return LOG_DAEMON;
  where.remove_prefix(1);
  const auto* facility = std::ranges::find(kFacilities, where, &Facility::name);
  if (facility == std::end(kFacilities)) return std::nullopt;
  return facility->code;
}

int SyslogSocket::send(int severity, std::string_view text) {
  const std::string message =
      concat("<", facility_ | severity, ">", timestamp(), " pycgid[", ::getpid(), "]: ", text);
  const int error = try_send(message);
  if (!is_worth_a_connect(error)) return error;
  const int refused = connect();
  return refused != 0 ? refused : try_send(message);
}

int SyslogSocket::try_send(std::string_view message) {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (::send(fd_.get(), message.data(), message.size(), kFlags) >= 0) return 0;
  if (errno != EMSGSIZE || message.size() <= kSurelyFits) return errno;
  const std::string cut = concat(message.substr(0, kSurelyFits - kCut.size()), kCut);
  return ::send(fd_.get(), cut.data(), cut.size(), kFlags) < 0 ? errno : 0;
}

int SyslogSocket::connect() {
  fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd_) return errno;
  const sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/dev/log"};
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(fd_.get(), generic, sizeof address) == 0) return 0;
  const int error = errno;
  fd_.reset();
  return error;
}

}  // namespace pycgid
