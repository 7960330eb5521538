// The log, read by a test.
#pragma once

#include "daemon/log.h"
#include "pyhost/unique_fd.h"
#include "tests/unit/catch.h"

#include <array>
#include <fcntl.h>
#include <string>
#include <unistd.h>

// Directs the log into a pipe for as long as it lives.
class CapturedLog {
 public:
  explicit CapturedLog(pycgid::LogLevel level) {
    std::array<int, 2> fds{};
    REQUIRE(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    read_.reset(fds[0]);
    write_.reset(fds[1]);
    pycgid::set_log_fd(write_.get());
    pycgid::set_log_level(level);
  }
  ~CapturedLog() {
    pycgid::set_log_fd(2);
    pycgid::set_log_level(pycgid::LogLevel::notice);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  // What was written since the last call.
  std::string text() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(read_.get(), buffer.data(), buffer.size());
    return got <= 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(got));
  }

 private:
  pyhost::UniqueFd read_;
  pyhost::UniqueFd write_;
};
