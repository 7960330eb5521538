#include "daemon/gateway/worker_output.h"

#include "daemon/log.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

// Of a worker that writes without end, in one turn of the loop; of one that has ended there is no
// more than a socket and a pipe hold.
constexpr int kEntriesInTurn = 64;
constexpr int kMostRest = 4096;

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
                           std::shared_ptr<const SlowLog> slow_log)
    : name_(std::move(name)),
      pipe_(std::move(pipe)),
      entries_(std::move(entries)),
      slow_log_(std::move(slow_log)) {
  ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
}

bool WorkerOutput::read_entries() {
  Got got = Got::bytes;
  for (int i = 0; i < kEntriesInTurn && got == Got::bytes; ++i) got = read_entry();
  return got != Got::end;
}

bool WorkerOutput::read_pipe() {
  read_entries();
  if (read_bytes() != Got::end) return true;
  end_line();
  return false;
}

void WorkerOutput::read_rest() {
  for (int i = 0; i < kMostRest && read_entry() == Got::bytes; ++i) {
  }
  for (int i = 0; i < kMostRest && read_bytes() == Got::bytes; ++i) {
  }
  end_line();
}

// An empty packet cannot be told from the end; workers send none.
WorkerOutput::Got WorkerOutput::read_entry() {
  std::array<char, pyhost::kMaxLogPacket> packet;
  const ssize_t count = ::recv(entries_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
  if (count == 0) return Got::end;
  if (count < 0) return is_over(errno) ? Got::end : Got::nothing;
  const auto entry = pyhost::parse_entry({packet.data(), static_cast<std::size_t>(count)});
  if (entry) log_entry(*entry);
  return Got::bytes;
}

WorkerOutput::Got WorkerOutput::read_bytes() {
  std::array<char, 16 * 1024> buffer;
  const ssize_t count = ::read(pipe_.get(), buffer.data(), buffer.size());
  if (count == 0) return Got::end;
  if (count < 0) return is_over(errno) ? Got::end : Got::nothing;
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

void WorkerOutput::log_entry(const pyhost::LogEntry& entry) const {
  const LogRecord record{.level = level_of(entry.level),
                         .object = name_,
                         .request_id = entry.request_id,
                         .text = entry.text,
                         .is_workers = true,
                         .is_applications = entry.is_applications};
  if (entry.level == pyhost::LogLevel::slow) return slow_log_->add(record);
  log_record(record);
}

}  // namespace pycgid
