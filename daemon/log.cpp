// The error log, see log.h.
#include "daemon/log.h"

#include "daemon/syslog_socket.h"
#include "daemon/text.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <syslog.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr std::string_view kStandardError = "stderr";

// Each process writes its log from one thread; the identity changes once, after fork.
struct LogState {
  std::string identity = "pycgid";
  LogLevel level = LogLevel::notice;
  int fd = STDERR_FILENO;
  std::optional<SyslogSocket> syslog{};  // in place of fd
  bool failing = false;
  bool torn = false;  // the last line was written in part
  std::uint64_t lost = 0;
};

LogState& state() {
  static LogState instance;
  return instance;
}

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::notice:
      return "notice";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "error";
}

int severity(LogLevel level) {
  constexpr std::array<int, 5> kSeverities{LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};
  return kSeverities[static_cast<std::size_t>(level)];
}

std::string timestamp() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  std::array<char, 32> date{};
  const std::size_t length = strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ",
                static_cast<int>(now.tv_nsec / 1'000'000));
  return std::string(date.data(), length) + fraction.data();
}

void append_hex(std::string& into, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  into += "\\x";
  into += kDigits[byte >> 4];
  into += kDigits[byte & 15];
}

void append_escaped(std::string& into, char character) {
  switch (character) {
    case '\n':
      into += "\\n";
      break;
    case '\t':
      into += "\\t";
      break;
    case '\\':
      into += "\\\\";
      break;
    default:
      append_hex(into, static_cast<unsigned char>(character));
  }
}

// C1 controls (U+0080 to U+009F) steer terminals like the escape character does.
bool is_c1_control(std::string_view text, std::size_t at) {
  if (text[at] != '\xc2' || at + 1 == text.size()) return false;
  const auto next = static_cast<unsigned char>(text[at + 1]);
  return next >= 0x80 && next <= 0x9f;
}

bool needs_escape(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7f || character == '\\';
}

std::string whole_line(LogLevel level, std::string_view message) {
  return concat(timestamp(), " ", level_name(level), " ", message, "\n");
}

// Returns the error, 0 when there was none.
int write_line(std::string line) {
  LogState& log = state();
  if (log.torn) line.insert(line.begin(), '\n');
  const ssize_t written = ::write(log.fd, line.data(), line.size());
  if (written < 0) return errno;
  log.torn = static_cast<std::size_t>(written) < line.size();
  return log.torn ? ENOSPC : 0;
}

// A full disk or a vanished reader of the log must not stop the service.
void note_outcome(int error) {
  LogState& log = state();
  if (error == 0) {
    if (!std::exchange(log.failing, false)) return;
    return log_notice(
        concat("the log can be written again; lines lost: ", std::exchange(log.lost, 0)));
  }
  ++log.lost;
  if (std::exchange(log.failing, true) || (log.fd == STDERR_FILENO && !log.syslog)) return;
  const std::string line =
      whole_line(LogLevel::error,
                 concat(log.identity, ": cannot write the log: ", reason(error),
                        " (option \"log\"); its lines are lost until it can be written again"));
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void set_log_identity(std::string_view name) {
  state().identity = std::string(name) + "[" + std::to_string(getpid()) + "]";
}

void set_log_level(LogLevel level) {
  state().level = level;
}

void set_log_fd(int fd) {
  state().fd = fd;
  state().syslog.reset();
  state().torn = false;
}

void set_log_syslog(int facility) {
  state().syslog.emplace(facility);
}

bool names_file(std::string_view where) {
  return !where.empty() && where != kStandardError && !is_syslog(where);
}

bool direct_log(std::string_view where) {
  if (where == kStandardError) {
    set_log_fd(STDERR_FILENO);
    return true;
  }
  const auto facility = syslog_facility(where);
  if (facility) set_log_syslog(*facility);
  return facility.has_value();
}

int log_fd() {
  const auto& syslog = state().syslog;
  return syslog && syslog->fd() >= 0 ? syslog->fd() : state().fd;
}

bool log_enabled(LogLevel level) {
  return level <= state().level;
}

void log_error(std::string_view text) {
  log_line(LogLevel::error, state().identity, text);
}
void log_warning(std::string_view text) {
  log_line(LogLevel::warning, state().identity, text);
}
void log_notice(std::string_view text) {
  log_line(LogLevel::notice, state().identity, text);
}
void log_info(std::string_view text) {
  log_line(LogLevel::info, state().identity, text);
}
void log_debug(std::string_view text) {
  log_line(LogLevel::debug, state().identity, text);
}

std::string format_line(LogLevel level, std::string_view object, std::string_view text) {
  return whole_line(level, concat(escape_control(object), ": ", escape_control(text)));
}

void log_line(LogLevel level, std::string_view object, std::string_view text) {
  if (!log_enabled(level)) return;
  const std::string message = concat(escape_control(object), ": ", escape_control(text));
  auto& syslog = state().syslog;
  note_outcome(syslog ? syslog->send(severity(level), message)
                      : write_line(whole_line(level, message)));
}

std::string escape_control(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_c1_control(text, i)) {
      append_hex(escaped, static_cast<unsigned char>(text[i]));
      append_hex(escaped, static_cast<unsigned char>(text[++i]));
    } else if (needs_escape(text[i])) {
      append_escaped(escaped, text[i]);
    } else {
      escaped += text[i];
    }
  }
  return escaped;
}

}  // namespace pycgid
