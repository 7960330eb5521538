// Lines to the gateway, which reads the pipe behind descriptor 2 and writes the log. Each line says
// its level and the request that its thread works on:
//
//   \x01 LEVEL REQUEST-ID \x01 text \n        the id is empty in threads that run no request
//
// and leaves in one write(2) of at most PIPE_BUF bytes, so that lines of several threads and
// processes never mix; longer ones are cut into several. Any thread; may block: call without the
// GIL. No Python here.
#pragma once

#include <string>
#include <string_view>

namespace pyhost {

enum class LogLevel : char {
  error = 'E',
  warning = 'W',
  notice = 'N',
  info = 'I',
  debug = 'D',
  slow = 'S'  // a warning for the log of slow requests, where there is one
};

// One line for each line of `text`.
void log_text(LogLevel level, std::string_view text);

// `text` with control characters as \xNN, so that nothing from outside begins a line of its own.
std::string escaped(std::string_view text);

// What an application prints, in pieces: sys.stdout (0) and sys.stderr (1). Each thread collects
// its own line of each.
enum class LogStream : unsigned { out = 0, err = 1 };

// Whether `bytes` only join an unfinished line, so that append_to_log() will not block.
bool stays_in_line(LogStream stream, std::string_view bytes);
void append_to_log(LogStream stream, std::string_view bytes);
// Writes what this thread has of an unfinished line. Blocks only if there is something.
void flush_log(LogStream stream);
bool has_unfinished_line(LogStream stream);

// Marks this thread's lines with a request, for as long as the object lives.
class LogRequest {
 public:
  explicit LogRequest(std::string_view id);
  ~LogRequest();
  LogRequest(const LogRequest&) = delete;
  LogRequest& operator=(const LogRequest&) = delete;
};

}  // namespace pyhost
