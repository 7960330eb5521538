// What a worker has to say, on its way to the gateway, which writes the log: a socket beside its
// standard output and error, one packet an entry. Nothing that the application writes to
// descriptors 1 and 2 gets between the entries, and none mixes with another thread's or process's.
//
//   LEVEL | bytes of the request's id | id | text
//
// LEVEL is a capital letter for what pyhost says, a small one for the application's own words. The
// text may have several lines; they are one entry. No Python here.
#pragma once

#include "pyhost/unique_fd.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace pyhost {

enum class LogLevel : char {
  error = 'E',
  warning = 'W',
  notice = 'N',
  info = 'I',
  debug = 'D',
  slow = 'S'  // a warning for the log of slow requests, where there is one
};

// Longer texts are cut, visibly.
inline constexpr std::size_t kMaxLogText = 64 * 1024;
// Longer ids likewise.
inline constexpr std::size_t kMaxLogId = 64;
// And what is said of the rest.
inline constexpr std::size_t kMaxLogPacket = kMaxLogText + 512;

struct LogEntry {
  LogLevel level = LogLevel::notice;
  bool is_applications = false;   // its own words
  std::string_view request_id{};  // empty in threads that run no request
  std::string_view text{};
};

// --- between the processes
// ------------------------------------------------------------------------

struct LogSocket {
  UniqueFd gateway;  // non-blocking
  UniqueFd worker;
};
std::error_code create_log_socket(LogSocket& ends);

// The gateway's. What a packet says, whoever wrote it; nullopt when that is no entry, or has a
// longer id than there are.
std::optional<LogEntry> parse_entry(std::string_view packet);

// The first kMaxLogText bytes of `text`, less what would cut a character of UTF-8 in two, and how
// many there were more, `dropped` among them.
std::string cut_text(std::string_view text, std::size_t dropped = 0);

// --- the worker's; any thread; these may block
// ----------------------------------------------------

// Where say() writes from now on, in this process; it stays open until the next one. Before, and in
// the forks of a worker that have closed it, texts go to descriptor 2 as they are.
void set_log_socket(int fd);
// Whether that is still there.
bool is_heard();
// `dropped`: so many bytes of the text have been left out already, which is said. Allocates
// nothing.
void say(const LogEntry& entry, std::size_t dropped = 0);

}  // namespace pyhost
