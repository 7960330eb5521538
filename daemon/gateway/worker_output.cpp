#include "daemon/gateway/worker_output.h"

#include "daemon/log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

// Of a worker that writes without end, in one turn of the loop: what becomes of it in the log, for
// a few bytes may become many, and entries that are not even logged. The rest waits where it is,
// and so does the worker in the end. Of one that has ended there is hardly more than the last
// number, but a child of it may go on.
constexpr std::size_t kBytesInTurn = 1024 * 1024;
constexpr int kEntriesInTurn = 64;
constexpr std::size_t kMostRest = 16 * kBytesInTurn;
// Each of these bytes may be half a line.
constexpr std::size_t kPipeBytes = 4096;

LogLevel level_of(pyhost::LogLevel level) {
  switch (level) {
    case pyhost::LogLevel::error:
      return LogLevel::error;
    case pyhost::LogLevel::warning:
    case pyhost::LogLevel::slow:
      return LogLevel::warning;
    case pyhost::LogLevel::info:
      return LogLevel::info;
    case pyhost::LogLevel::debug:
      return LogLevel::debug;
    case pyhost::LogLevel::notice:
      break;
  }
  return LogLevel::notice;
}

bool is_over(int error) {
  return error != EAGAIN && error != EINTR;
}

}  // namespace

WorkerOutput::WorkerOutput(std::string name, pyhost::UniqueFd pipe, pyhost::UniqueFd entries,
                           std::shared_ptr<SlowLog> slow_log)
    : name_(std::move(name)),
      pipe_(std::move(pipe)),
      entries_(std::move(entries)),
      slow_log_(std::move(slow_log)) {
  ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
}

bool WorkerOutput::read_entries() {
  left_ = kBytesInTurn;
  Got got = Got::bytes;
  for (int i = 0; i < kEntriesInTurn && left_ > 0 && got == Got::bytes; ++i) got = read_entry();
  return got != Got::end;
}

// Some of the pipe is read in any case: entries without end must not keep it.
bool WorkerOutput::read_pipe() {
  read_entries();
  Got got = Got::bytes;
  do {
    got = read_bytes();
  } while (got == Got::bytes && left_ > 0);
  if (got != Got::end) return true;
  end_line();
  return false;
}

void WorkerOutput::read_rest() {
  left_ = kMostRest;
  while (left_ > 0 && read_entry() == Got::bytes) {
  }
  left_ = kMostRest;
  while (left_ > 0 && read_bytes() == Got::bytes) {
  }
  end_line();
}

void WorkerOutput::spend(std::size_t bytes) {
  left_ -= std::min(left_, bytes);
}

// An empty packet cannot be told from the end; workers send none.
WorkerOutput::Got WorkerOutput::read_entry() {
  std::array<char, pyhost::kMaxLogPacket> packet;
  const ssize_t count = ::recv(entries_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  if (count == 0) return Got::end;
  if (count < 0) return is_over(errno) ? Got::end : Got::nothing;
  const auto entry = pyhost::parse_entry({packet.data(), static_cast<std::size_t>(count)});
  spend(static_cast<std::size_t>(count));
  if (entry) log_entry(*entry);
  return Got::bytes;
}

WorkerOutput::Got WorkerOutput::read_bytes() {
  std::array<char, kPipeBytes> buffer;
  const ssize_t count = ::read(pipe_.get(), buffer.data(), buffer.size());
  if (count == 0) return Got::end;
  if (count < 0) return is_over(errno) ? Got::end : Got::nothing;
  spend(static_cast<std::size_t>(count));
  take({buffer.data(), static_cast<std::size_t>(count)});
  return Got::bytes;
}

void WorkerOutput::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    const std::string_view kept = piece.substr(0, pyhost::kMaxLogText - line_.size());
    line_ += kept;
    dropped_ += piece.size() - kept.size();
    if (end == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void WorkerOutput::end_line() {
  if (line_.empty()) return;
  const std::string line = pyhost::cut_text(line_, dropped_);
  log_entry({.is_applications = true, .text = line});
  line_.clear();
  dropped_ = 0;
}

void WorkerOutput::log_entry(const pyhost::LogEntry& entry) {
  const LogRecord record{.level = level_of(entry.level),
                         .object = name_,
                         .request_id = entry.request_id,
                         .text = entry.text,
                         .is_workers = true,
                         .is_applications = entry.is_applications};
  const bool is_slow = entry.level == pyhost::LogLevel::slow;
  spend(is_slow ? slow_log_->add(record) : log_record(record));
}

}  // namespace pycgid
