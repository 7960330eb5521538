#include "pyhost/log_lines.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace pyhost {
namespace {

constexpr int kLogFd = 2;
constexpr char kMark = '\x01';
constexpr std::size_t kMaxId = 64;
constexpr std::size_t kMaxText = PIPE_BUF - kMaxId - 4;  // the marks, the level and the newline

class ThreadLog {
 public:
  ThreadLog() = default;
  ThreadLog(const ThreadLog&) = delete;
  ThreadLog& operator=(const ThreadLog&) = delete;
  // A thread that ends has said all it had to say.
  ~ThreadLog() {
    flush(LogStream::out);
    flush(LogStream::err);
  }

  void set_id(std::string_view id) { id_.assign(id.substr(0, kMaxId)); }
  std::string& unfinished(LogStream stream) { return unfinished_[static_cast<unsigned>(stream)]; }

  void write_line(LogLevel level, std::string_view line) const;
  void flush(LogStream stream);

 private:
  std::string id_;
  std::array<std::string, 2> unfinished_;
};

ThreadLog& thread_log() {
  thread_local ThreadLog log;
  return log;
}

// A pipe that somebody made non-blocking is waited for; one that is gone loses the line.
void write_whole(std::string_view bytes) {
  while (::write(kLogFd, bytes.data(), bytes.size()) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return;
    pollfd pipe{kLogFd, POLLOUT, 0};
    ::poll(&pipe, 1, -1);
  }
}

// How much of `text` fits into a line, without cutting a UTF-8 character in two.
std::size_t fitting(std::string_view text) {
  if (text.size() <= kMaxText) return text.size();
  std::size_t end = kMaxText;
  while (end > kMaxText - 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

void ThreadLog::write_line(LogLevel level, std::string_view line) const {
  std::array<char, PIPE_BUF> buffer;
  buffer[0] = kMark;
  buffer[1] = static_cast<char>(level);
  std::size_t prefix = 2 + id_.copy(buffer.data() + 2, kMaxId);
  buffer[prefix++] = kMark;
  do {
    const std::size_t piece = fitting(line);
    char* end = std::copy_n(line.data(), piece, buffer.data() + prefix);
    *end++ = '\n';
    write_whole({buffer.data(), static_cast<std::size_t>(end - buffer.data())});
    line.remove_prefix(piece);
  } while (!line.empty());
}

void ThreadLog::flush(LogStream stream) {
  std::string& line = unfinished(stream);
  if (line.empty()) return;
  write_line(LogLevel::notice, line);
  line.clear();
}

}  // namespace

void log_text(LogLevel level, std::string_view text) {
  for (;;) {
    const std::size_t newline = text.find('\n');
    thread_log().write_line(level, text.substr(0, newline));
    if (newline == std::string_view::npos || newline + 1 == text.size()) return;
    text.remove_prefix(newline + 1);
  }
}

std::string escaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      result += c;
    } else {
      result += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return result;
}

bool stays_in_line(LogStream stream, std::string_view bytes) {
  return thread_log().unfinished(stream).size() + bytes.size() <= kMaxText &&
         bytes.find('\n') == std::string_view::npos;
}

void append_to_log(LogStream stream, std::string_view bytes) {
  ThreadLog& log = thread_log();
  std::string& line = log.unfinished(stream);
  for (std::size_t newline; (newline = bytes.find('\n')) != std::string_view::npos;) {
    line.append(bytes.substr(0, newline));
    log.write_line(LogLevel::notice, line);
    line.clear();
    bytes.remove_prefix(newline + 1);
  }
  line.append(bytes);
  std::string_view rest = line;
  for (std::size_t piece; (piece = fitting(rest)) < rest.size(); rest.remove_prefix(piece)) {
    log.write_line(LogLevel::notice, rest.substr(0, piece));
  }
  line.erase(0, line.size() - rest.size());
}

void flush_log(LogStream stream) {
  thread_log().flush(stream);
}

bool has_unfinished_line(LogStream stream) {
  return !thread_log().unfinished(stream).empty();
}

LogRequest::LogRequest(std::string_view id) {
  thread_log().set_id(id);
}

LogRequest::~LogRequest() {
  thread_log().set_id({});
}

}  // namespace pyhost
