#include "daemon/gateway/worker_output.h"

#include "daemon/log.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr std::size_t kMaxLine = 8192;
constexpr char kMark = '\x01';
constexpr char kSlow = 'S';  // the level of lines for the slow log

LogLevel level_of(char letter) {
  switch (letter) {
    case 'E':
      return LogLevel::error;
    case 'W':
      return LogLevel::warning;
    case 'I':
      return LogLevel::info;
    case 'D':
      return LogLevel::debug;
    default:
      return LogLevel::notice;
  }
}

}  // namespace

WorkerOutput::WorkerOutput(std::string name, pyhost::UniqueFd pipe,
                           std::shared_ptr<const SlowLog> slow_log)
    : name_(std::move(name)), pipe_(std::move(pipe)), slow_log_(std::move(slow_log)) {
  ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
}

bool WorkerOutput::read() {
  if (read_once() != Got::end) return true;
  log_partial();
  return false;
}

void WorkerOutput::read_rest() {
  while (read_once() == Got::bytes) {
  }
  log_partial();
}

WorkerOutput::Got WorkerOutput::read_once() {
  std::array<char, 16 * 1024> buffer;
  const ssize_t count = ::read(pipe_.get(), buffer.data(), buffer.size());
  if (count == 0) return Got::end;
  if (count < 0) return errno == EAGAIN || errno == EINTR ? Got::nothing : Got::end;
  take({buffer.data(), static_cast<std::size_t>(count)});
  return Got::bytes;
}

void WorkerOutput::log_partial() {
  if (!partial_.empty()) log_one(partial_);
  partial_.clear();
}

void WorkerOutput::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    partial_.append(bytes.substr(0, end));
    if (end == std::string_view::npos && partial_.size() < kMaxLine) return;
    log_one(partial_);
    partial_.clear();
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
  }
}

void WorkerOutput::log_one(std::string_view line) const {
  if (line.empty()) return;
  const std::size_t text_at = line.find(kMark, 1);
  if (line.front() != kMark || text_at == std::string_view::npos || text_at < 2) {
    return log_line(LogLevel::notice, name_, line);
  }
  const std::string_view request_id = line.substr(2, text_at - 2);
  std::string text;
  if (!request_id.empty()) text.append("[").append(request_id).append("] ");
  text.append(line.substr(text_at + 1));
  if (line[1] == kSlow) return slow_log_->add(name_, text);
  log_line(level_of(line[1]), name_, text);
}

}  // namespace pycgid
