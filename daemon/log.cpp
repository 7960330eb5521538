#include "daemon/log.h"

#include "daemon/escape.h"
#include "daemon/syslog_socket.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr std::string_view kStandardError = "stderr";
// A write, or a message for the system's log, takes as long as one of about this many bytes.
constexpr std::size_t kMessageCost = 1024;

// Whether systemd-journald reads what is written there, as systemd.exec(5) has it.
bool leads_to_journal(int fd) {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(fd, &info) != 0) return false;
  return concat(std::uint64_t{info.st_dev}, ":", std::uint64_t{info.st_ino}) == stream;
}

// Each process writes its log from one thread; the identity changes once, after fork.
struct LogState {
  std::string identity = "pycgid";
  LogLevel level = LogLevel::notice;
  LogFormat format = LogFormat::text;
  int fd = STDERR_FILENO;
  std::optional<SyslogSocket> syslog{};  // in place of fd
  bool is_journal = leads_to_journal(STDERR_FILENO);
  bool failing = false;
  bool torn = false;  // the last line was written in part
  std::uint64_t lost = 0;
};

LogState& state() {
  static LogState instance;
  return instance;
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

// Returns the error, 0 when there was none.
int write_line(std::string line) {
  LogState& log = state();
  if (log.torn) line.insert(line.begin(), '\n');
  std::string_view rest = line;
  while (!rest.empty()) {
    // Master and gateway write to the same pipe.
    const std::string_view piece = lines_for_pipe(rest);
    const ssize_t written = ::write(log.fd, piece.data(), piece.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (rest.empty()) {
    log.torn = false;
    return 0;
  }
  const int error = errno;
  if (rest.size() < line.size()) log.torn = line[line.size() - rest.size() - 1] != '\n';
  return error;
}

// Each line of the entry is a message of its own.
int send_lines(SyslogSocket& syslog, LogLevel level, std::string_view lines) {
  int error = 0;
  while (!lines.empty()) {
    const std::size_t size = lines.find('\n');
    const int failed = syslog.send(severity(level), lines.substr(0, size));
    if (failed != 0) error = failed;
    lines.remove_prefix(size + 1);
  }
  return error;
}

void tell_on_standard_error(std::string_view text) {
  const std::string line =
      format_entry({.level = LogLevel::error, .object = state().identity, .text = text});
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

bool are_one_file(int first, int second) {
  struct stat one {};
  struct stat other {};
  return ::fstat(first, &one) == 0 && ::fstat(second, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
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
  tell_on_standard_error(concat("cannot write the log: ", reason(error),
                                " (option \"log\"); its lines are lost until it can be written "
                                "again"));
}

}  // namespace

void set_log_identity(std::string_view name) {
  state().identity = std::string(name) + "[" + std::to_string(getpid()) + "]";
}

void set_log_level(LogLevel level) {
  state().level = level;
}

void set_log_format(LogFormat format) {
  state().format = format;
}

void set_log_fd(int fd) {
  state().fd = fd;
  state().is_journal = leads_to_journal(fd);
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
void log_error_about_file(int fd, std::string_view text) {
  log_error(text);
  const LogState& log = state();
  if (!log.syslog && log.fd == fd && !are_one_file(fd, STDERR_FILENO)) tell_on_standard_error(text);
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

std::string journal_priority(LogLevel level) {
  return state().is_journal ? concat("<", severity(level), ">") : "";
}

std::string format_entry(const LogRecord& record) {
  return format_record(state().format, record, {.time = timestamp()});
}

void log_line(LogLevel level, std::string_view object, std::string_view text) {
  log_record({.level = level, .object = object, .text = text});
}

std::size_t log_record(const LogRecord& record) {
  if (!log_enabled(record.level)) return 0;
  LogState& log = state();
  if (log.syslog) {
    const std::string lines = format_record(log.format, record, {});
    note_outcome(send_lines(*log.syslog, record.level, lines));
    const auto messages = static_cast<std::size_t>(std::ranges::count(lines, '\n'));
    return std::max(lines.size(), messages * kMessageCost);
  }
  const std::string priority = journal_priority(record.level);
  std::string lines =
      format_record(log.format, record, {.priority = priority, .time = timestamp()});
  const std::size_t cost = std::max(lines.size(), kMessageCost);
  note_outcome(write_line(std::move(lines)));
  return cost;
}

}  // namespace pycgid
