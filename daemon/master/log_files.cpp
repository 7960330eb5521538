// All logs of the daemon, see log_files.h.
#include "daemon/master/log_files.h"

#include "daemon/log.h"
#include "daemon/syslog_socket.h"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr std::chrono::seconds kTendEvery{1};
constexpr std::string_view kStandardError = "stderr";

pyhost::UniqueFd copy_of(int fd) {
  return pyhost::UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

void check_file(const std::string& where, std::string option) {
  if (names_file(where)) LogFile(where, std::move(option)).check();
}

}  // namespace

const LogFile* LogFiles::find(std::string_view where) const {
  const auto file = std::ranges::find(files_, where, &LogFile::path);
  return file == files_.end() ? nullptr : &*file;
}

void LogFiles::open() {
  prepare_error_log(settings_);
  direct_error_log();
}

void LogFiles::check_error_log(const Settings& settings) {
  check_file(settings.log, settings.places.text("log"));
}

void LogFiles::check(const PoolSettings& pool) {
  check_file(pool.access_log, pool.places.text("access-log"));
  check_file(pool.slow_log, pool.places.text("slow-log"));
}

void LogFiles::add_opened(const std::string& where, std::string option) {
  if (!names_file(where)) return;
  const auto known = std::ranges::find(files_, where, &LogFile::path);
  if (known != files_.end()) return known->set_option(std::move(option));
  LogFile file(where, std::move(option));
  file.open();
  files_.push_back(std::move(file));
}

void LogFiles::prepare_error_log(const Settings& next) {
  add_opened(next.log, next.places.text("log"));
}

void LogFiles::prepare(const PoolSettings& next) {
  add_opened(next.access_log, next.places.text("access-log"));
  add_opened(next.slow_log, next.places.text("slow-log"));
}

void LogFiles::keep_only(const std::vector<const PoolSettings*>& pools) {
  std::erase_if(files_, [&](const LogFile& file) {
    const auto names = [&](const PoolSettings* pool) {
      return pool->access_log == file.path() || pool->slow_log == file.path();
    };
    return file.path() != settings_.log && std::ranges::none_of(pools, names);
  });
}

std::string LogFiles::reopen() {
  std::string wrong;
  for (LogFile& file : files_) {
    if (const std::string why = file.reopen(); !why.empty()) wrong += why + "\n";
    // What the next one has to say belongs into the new file.
    write_error_log_to_file();
  }
  return wrong;
}

std::optional<std::chrono::steady_clock::time_point> LogFiles::next_due() const {
  if (files_.empty()) return std::nullopt;
  return due_;
}

bool LogFiles::tend(std::chrono::steady_clock::time_point now) {
  if (files_.empty() || now < due_) return false;
  due_ = now + kTendEvery;
  bool replaced = false;
  for (LogFile& file : files_) {
    replaced |= file.tend(settings_.rotate_size, settings_.places.text("rotate-size"));
    write_error_log_to_file();
  }
  return replaced;
}

void LogFiles::direct_error_log() const {
  if (!direct_log(settings_.log)) write_error_log_to_file();
}

void LogFiles::write_error_log_to_file() const {
  if (const LogFile* file = find(settings_.log)) set_log_fd(file->fd());
}

pyhost::UniqueFd LogFiles::file_at(std::string_view where) const {
  const LogFile* file = find(where);
  return file == nullptr ? pyhost::UniqueFd() : copy_of(file->fd());
}

pyhost::UniqueFd LogFiles::error_log() const {
  return file_at(settings_.log);
}

pyhost::UniqueFd LogFiles::access_log(const PoolSettings& pool) const {
  if (pool.access_log == kStandardError) return copy_of(STDERR_FILENO);
  return file_at(pool.access_log);
}

pyhost::UniqueFd LogFiles::slow_log(const PoolSettings& pool) const {
  return file_at(pool.slow_log);
}

}  // namespace pycgid
