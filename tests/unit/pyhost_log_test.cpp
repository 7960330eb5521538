// Log lines without a worker: descriptor 2 is a pipe meanwhile.
#include "pyhost/log_lines.h"
#include "pyhost/params.h"
#include "pyhost/request_text.h"
#include "pyhost/unique_fd.h"
#include "tests/unit/catch.h"

#include <array>
#include <fcntl.h>
#include <string>
#include <unistd.h>

using namespace std::string_literals;
using pyhost::LogLevel;
using pyhost::LogRequest;
using pyhost::LogStream;
using pyhost::UniqueFd;

namespace {

class CapturedLog {
 public:
  CapturedLog() : saved_(::dup(2)) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
    read_.reset(ends[0]);
    const UniqueFd write(ends[1]);
    ::dup2(write.get(), 2);
  }
  ~CapturedLog() { ::dup2(saved_.get(), 2); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::string take() {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(read_.get(), buffer.data(), buffer.size());
    return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }

 private:
  UniqueFd saved_;
  UniqueFd read_;
};

}  // namespace

TEST_CASE("log lines: level and request before each line", "[pyhost]") {
  CapturedLog log;
  pyhost::log_text(LogLevel::warning, "no request");
  {
    const LogRequest request("5f3a-12");
    pyhost::log_text(LogLevel::error, "one\ntwo\n");
  }
  pyhost::log_text(LogLevel::debug, "");
  CHECK(log.take() == "\1W\1no request\n\1E5f3a-12\1one\n\1E5f3a-12\1two\n\1D\1\n"s);
}

TEST_CASE("log lines: an unfinished line waits for its end", "[pyhost]") {
  CapturedLog log;
  CHECK(pyhost::stays_in_line(LogStream::out, "half "));
  pyhost::append_to_log(LogStream::out, "half ");
  pyhost::append_to_log(LogStream::err, "other\n");
  CHECK(log.take() == "\1N\1other\n"s);
  CHECK(pyhost::has_unfinished_line(LogStream::out));
  CHECK(!pyhost::stays_in_line(LogStream::out, "line\n"));
  pyhost::append_to_log(LogStream::out, "line\nrest");
  CHECK(log.take() == "\1N\1half line\n"s);
  pyhost::flush_log(LogStream::out);
  pyhost::flush_log(LogStream::out);
  CHECK(log.take() == "\1N\1rest\n"s);
  CHECK(!pyhost::has_unfinished_line(LogStream::out));
}

TEST_CASE("log lines: no line is longer than a pipe takes at once", "[pyhost]") {
  CapturedLog log;
  const LogRequest request(std::string(100, 'i'));
  pyhost::append_to_log(LogStream::out, std::string(10'000, 'x'));
  pyhost::flush_log(LogStream::out);
  const std::string text = log.take();
  std::size_t letters = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    CHECK(end + 1 - at <= 4096);
    letters += end - at - ("\1N"s + std::string(64, 'i') + "\1").size();
    at = end + 1;
  }
  CHECK(letters == 10'000);
}

TEST_CASE("request text: method and URI, or the path where there is none", "[pyhost]") {
  std::array<char, 256> area;
  pyhost::ParamsWriter with(area);
  with.add("REQUEST_METHOD", "GET");
  with.add("REQUEST_URI", "/a%20b?c");
  CHECK(pyhost::describe_request({area.data(), with.bytes()}) == "GET /a%20b?c");

  pyhost::ParamsWriter without(area);
  without.add("REQUEST_METHOD", "POST");
  without.add("SCRIPT_NAME", "/shop");
  without.add("PATH_INFO", "/a\nb");
  CHECK(pyhost::describe_request({area.data(), without.bytes()}) == "POST /shop/a\\x0ab");
}
