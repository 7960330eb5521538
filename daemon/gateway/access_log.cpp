// A pool's access log, see access_log.h.
#include "daemon/gateway/access_log.h"

#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <syslog.h>
#include <utility>

namespace pycgid {
namespace {

// A turn of many requests is written in pieces of about this size.
constexpr std::size_t kFullBuffer = 64 * 1024;

// By the wall clock, what was `at` by the steady one.
AccessRecord::Received wall_time(Clock::time_point at, const AccessRecord::Received& last) {
  using std::chrono::duration_cast;
  using Micro = std::chrono::microseconds;
  const auto ago = duration_cast<Micro>(Clock::now() - at);
  const auto now = duration_cast<Micro>(std::chrono::system_clock::now().time_since_epoch());
  const auto since_epoch = (now - ago).count();
  AccessRecord::Received received = last;
  received.microseconds = static_cast<std::uint32_t>(since_epoch % 1'000'000);
  const std::time_t seconds = since_epoch / 1'000'000;
  if (seconds == last.seconds) return received;
  received.seconds = seconds;
  ::gmtime_r(&seconds, &received.utc);
  return received;
}

}  // namespace

AccessLog::AccessLog(const PoolSettings& pool) : pool_(pool) {
  reconfigure();
}

void AccessLog::reconfigure() {
  format_ = AccessFormat();
  format_.compile(pool_.access_format);  // the option table has tried it
  syslog_.reset();
  if (const auto facility = syslog_facility(pool_.access_log)) syslog_.emplace(*facility);
}

void AccessLog::open(pyhost::UniqueFd fd) {
  flush();
  file_.open(std::move(fd));
}

void AccessLog::add(AccessRecord& record) {
  // Without a file it could not be opened, as the master has said.
  if (!is_on() || (!file_.is_open() && !syslog_)) return;
  record.pool = pool_.name;
  record.received = last_received_ = wall_time(record.began, last_received_);
  format_.append(buffer_, record);
  if (buffer_.size() >= kFullBuffer) flush();
}

void AccessLog::flush() {
  if (buffer_.empty()) return;
  const std::string_view unwritten = syslog_ ? send(buffer_) : file_.write(buffer_);
  if (!unwritten.empty()) {
    lost_.note_failure(errno, unwritten, object(), "access-log");
  } else if (lost_.any()) {
    lost_.note_success(object());
  }
  buffer_.clear();
}

// A line is a message of its own.
std::string_view AccessLog::send(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t size = lines.find('\n');
    errno = syslog_->send(LOG_INFO, lines.substr(0, size));
    if (errno != 0) return lines;
    lines.remove_prefix(size + 1);
  }
  return {};
}

std::string AccessLog::object() const {
  return concat("the access log ", in_quotes(pool_.access_log), " of pool ", in_quotes(pool_.name));
}

// --- UnsentRecords -------------------------------------------------------------------------------

void UnsentRecords::add(AccessRecord record, std::uint64_t end) {
  waiting_.push_back({end, std::move(record)});
}

void UnsentRecords::sent(std::uint64_t sent, Clock::time_point now, AccessLog& log) {
  const auto unsent =
      std::ranges::find_if(waiting_, [sent](const Entry& entry) { return entry.end > sent; });
  for (auto entry = waiting_.begin(); entry != unsent; ++entry) {
    entry->record.ended = now;
    log.add(entry->record);
  }
  waiting_.erase(waiting_.begin(), unsent);
}

void UnsentRecords::lost(Clock::time_point now, AccessLog& log) {
  for (Entry& entry : waiting_) {
    entry.record.complete = false;
    entry.record.ended = now;
    log.add(entry.record);
  }
  waiting_.clear();
}

}  // namespace pycgid
