// What a worker's threads have to say for the log, each entry with the request that its thread
// works on. Any thread; may block: call without the GIL. No Python here.
#pragma once

#include "pyhost/log_socket.h"

#include <string_view>

namespace pyhost {

// One entry; the text may have several lines.
void log_text(LogLevel level, std::string_view text);
// Likewise, in the application's own words.
void log_application(LogLevel level, std::string_view text);

// What an application prints, in pieces: sys.stdout (0) and sys.stderr (1). Each thread collects
// its own line of each.
enum class LogStream : unsigned { out = 0, err = 1 };

// Whether `bytes` only join an unfinished line, so that append_to_log() will not block.
bool stays_in_line(LogStream stream, std::string_view bytes);
void append_to_log(LogStream stream, std::string_view bytes);
// Writes what this thread has of an unfinished line. Blocks only if there is something.
void flush_log(LogStream stream);
bool has_unfinished_line(LogStream stream);

// Marks this thread's entries with a request, for as long as the object lives.
class LogRequest {
 public:
  explicit LogRequest(std::string_view id);
  ~LogRequest();
  LogRequest(const LogRequest&) = delete;
  LogRequest& operator=(const LogRequest&) = delete;
};

}  // namespace pyhost
