#include "pyhost/log_lines.h"

#include <array>
#include <cstddef>
#include <string>

namespace pyhost {
namespace {

// What a thread keeps for its next line; more goes back to the system.
constexpr std::size_t kKeptRoom = 4096;

// A line that is being written, of which a part that is too long is only counted.
class UnfinishedLine {
 public:
  bool empty() const { return text_.empty(); }
  bool takes(std::size_t bytes) const { return text_.size() + bytes <= kMaxLogText; }
  void append(std::string_view bytes) {
    const std::string_view kept = bytes.substr(0, kMaxLogText - text_.size());
    text_.append(kept);
    dropped_ += bytes.size() - kept.size();
  }
  // The whole line; nothing is left.
  std::string take() {
    std::string line = dropped_ == 0 ? text_ : cut_text(text_, dropped_);
    dropped_ = 0;
    text_.clear();
    if (text_.capacity() > kKeptRoom) std::string().swap(text_);
    return line;
  }

 private:
  std::string text_;
  std::size_t dropped_ = 0;
};

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

  const std::string& id() const { return id_; }
  void set_id(std::string_view id) { id_.assign(id); }
  UnfinishedLine& unfinished(LogStream stream) {
    return unfinished_[static_cast<unsigned>(stream)];
  }
  void end_line(LogStream stream) {
    const std::string line = unfinished(stream).take();
    say({LogLevel::notice, true, id_, line});
  }
  void flush(LogStream stream) {
    if (!unfinished(stream).empty()) end_line(stream);
  }

 private:
  std::string id_;
  std::array<UnfinishedLine, 2> unfinished_;
};

ThreadLog& thread_log() {
  thread_local ThreadLog log;
  return log;
}

std::string_view without_last_newline(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

void log_text(LogLevel level, std::string_view text) {
  say({level, false, thread_log().id(), without_last_newline(text)});
}

void log_application(LogLevel level, std::string_view text) {
  say({level, true, thread_log().id(), without_last_newline(text)});
}

std::string escaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      result += c;
    } else {
      result += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return result;
}

bool stays_in_line(LogStream stream, std::string_view bytes) {
  return thread_log().unfinished(stream).takes(bytes.size()) &&
         bytes.find('\n') == std::string_view::npos;
}

void append_to_log(LogStream stream, std::string_view bytes) {
  ThreadLog& log = thread_log();
  for (std::size_t newline; (newline = bytes.find('\n')) != std::string_view::npos;) {
    log.unfinished(stream).append(bytes.substr(0, newline));
    log.end_line(stream);
    bytes.remove_prefix(newline + 1);
  }
  log.unfinished(stream).append(bytes);
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
