#include "pyhost/log_lines.h"

#include "pyhost/buffer.h"

#include <array>
#include <cstddef>

namespace pyhost {
namespace {

// What a thread keeps for its next line; more goes back to the system.
constexpr std::size_t kKeptRoom = 4096;

// A line that is being written. What is too long, or finds no memory, is only counted.
class UnfinishedLine {
 public:
  bool empty() const { return text_.view().empty() && dropped_ == 0; }
  bool takes(std::size_t bytes) const { return text_.view().size() + bytes <= kMaxLogText; }
  void append(std::string_view bytes) {
    const std::size_t room = dropped_ > 0 ? 0 : kMaxLogText - text_.view().size();
    const std::string_view kept = bytes.substr(0, room);
    if (text_.append(kept)) {
      dropped_ += bytes.size() - kept.size();
    } else {
      dropped_ += bytes.size();
    }
  }
  std::string_view text() const { return text_.view(); }
  std::size_t dropped() const { return dropped_; }
  void clear() {
    dropped_ = 0;
    text_.clear();
    if (text_.capacity() > kKeptRoom) text_ = Buffer();
  }

 private:
  Buffer text_;
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

  std::string_view id() const { return {id_.data(), id_size_}; }
  void set_id(std::string_view id) { id_size_ = id.copy(id_.data(), id_.size()); }
  UnfinishedLine& unfinished(LogStream stream) {
    return unfinished_[static_cast<unsigned>(stream)];
  }
  void end_line(LogStream stream) {
    UnfinishedLine& line = unfinished(stream);
    say({LogLevel::notice, true, id(), line.text()}, line.dropped());
    line.clear();
  }
  void flush(LogStream stream) {
    if (!unfinished(stream).empty()) end_line(stream);
  }

 private:
  std::array<char, kMaxLogId> id_;
  std::size_t id_size_ = 0;
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
