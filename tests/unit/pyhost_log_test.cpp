// Entries for the log without a worker.
#include "pyhost/log_lines.h"
#include "pyhost/params.h"
#include "pyhost/request_text.h"
#include "pyhost/unique_fd.h"
#include "tests/unit/catch.h"
#include "tests/unit/log_entries.h"

#include <array>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace std::string_literals;
using pyhost::LogLevel;
using pyhost::LogRequest;
using pyhost::LogStream;
using pyhost::UniqueFd;

namespace {

class CapturedLog {
 public:
  CapturedLog() {
    pyhost::LogSocket ends;
    REQUIRE_FALSE(pyhost::create_log_socket(ends));
    read_ = std::move(ends.gateway);
    pyhost::set_log_socket(ends.worker.release());
  }

  // What has come since the last call.
  std::string take() {
    std::string text;
    for (bool got = true; got;) append_entry(read_.get(), text, got);
    return text;
  }
  int fd() const { return read_.get(); }

 private:
  UniqueFd read_;
};

// Descriptor 2 is a pipe for as long as it lives.
class CapturedStandardError {
 public:
  CapturedStandardError() : saved_(::dup(2)) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
    read_.reset(ends[0]);
    const UniqueFd write(ends[1]);
    ::dup2(write.get(), 2);
  }
  ~CapturedStandardError() { ::dup2(saved_.get(), 2); }
  CapturedStandardError(const CapturedStandardError&) = delete;
  CapturedStandardError& operator=(const CapturedStandardError&) = delete;

  std::string take() {
    std::array<char, 4096> buffer;
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

TEST_CASE("log lines: what is longer than 64 KiB is cut, and says so", "[pyhost]") {
  CapturedLog log;
  pyhost::append_to_log(LogStream::out, std::string(65'535, 'x'));
  pyhost::append_to_log(LogStream::out, "\xc3\xa4");
  pyhost::append_to_log(LogStream::out, std::string(70'000, 'y') + "\nnext\n");
  const std::string text = log.take();
  CHECK(text == "\1N\1"s + std::string(65'535, 'x') + "... (cut, 70002 bytes more)\n\1N\1next\n");

  pyhost::log_text(LogLevel::error, std::string(70'000, 'z'));
  CHECK(log.take() == "\1E\1"s + std::string(65'536, 'z') + "... (cut, 4464 bytes more)\n");
}

TEST_CASE("log lines: a line of 64 KiB is one entry", "[pyhost]") {
  CapturedLog log;
  const std::string line(65'536, 'x');
  pyhost::append_to_log(LogStream::err, line + "\n");
  CHECK(log.take() == "\1N\1" + line + "\n");
}

TEST_CASE("log lines: an entry tells pyhost's words from the application's", "[pyhost]") {
  CapturedLog log;
  pyhost::log_text(LogLevel::warning, "ours");
  pyhost::log_application(LogLevel::warning, "two\nlines\n");
  std::array<char, 256> packet;
  const auto next = [&] {
    const ssize_t got = ::recv(log.fd(), packet.data(), packet.size(), 0);
    REQUIRE(got > 0);
    const auto entry = pyhost::parse_entry({packet.data(), static_cast<std::size_t>(got)});
    REQUIRE(entry);
    return *entry;
  };
  CHECK_FALSE(next().is_applications);
  const pyhost::LogEntry entry = next();
  CHECK(entry.is_applications);
  CHECK(entry.level == LogLevel::warning);
  CHECK(entry.text == "two\nlines");
}

TEST_CASE("log lines: a packet that is no entry is none", "[pyhost]") {
  for (const std::string_view packet : {"", "N", "X\x01i",
                                        "N\x05"
                                        "abc",
                                        "\xff\x01i"}) {
    CHECK_FALSE(pyhost::parse_entry(packet));
  }
  CHECK(pyhost::parse_entry("n\x03"
                            "abctext")
            ->text == "text");
}

TEST_CASE("log lines: an entry with a longer id than there are is none", "[pyhost]") {
  const std::string id(pyhost::kMaxLogId, 'i');
  const std::string packet = "N\x40" + id + "text";
  const auto entry = pyhost::parse_entry(packet);
  REQUIRE(entry);
  CHECK(entry->request_id == id);
  CHECK_FALSE(pyhost::parse_entry("N\x41" + id + "itext"));
  CHECK_FALSE(pyhost::parse_entry("N\xff" + std::string(255, 'i') + "text"));
}

TEST_CASE("log lines: a fork that has closed the log writes to its standard error", "[pyhost]") {
  CapturedLog log;
  CapturedStandardError standard_error;
  const pid_t child = ::fork();
  if (child == 0) {
    ::close_range(3, ~0U, 0);
    pyhost::log_text(LogLevel::error, "of the fork");
    ::_exit(0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(standard_error.take() == "of the fork\n");
  CHECK(log.take().empty());
}

TEST_CASE("request text: method and URI, or the path where there is none", "[pyhost]") {
  std::array<char, 256> area;
  pyhost::ParamsWriter with(area);
  with.add("REQUEST_METHOD", "GET");
  with.add("REQUEST_URI", "/a%20b?c");
  CHECK(pyhost::describe_request({area.data(), with.bytes()}).view() == "GET /a%20b?c");

  pyhost::ParamsWriter without(area);
  without.add("REQUEST_METHOD", "POST");
  without.add("SCRIPT_NAME", "/shop");
  without.add("PATH_INFO", "/a\nb");
  CHECK(pyhost::describe_request({area.data(), without.bytes()}).view() == "POST /shop/a%0Ab");
}

TEST_CASE("request text: what is said of a request fits behind the longest one", "[pyhost]") {
  std::vector<char> area(32 * 1024);
  pyhost::ParamsWriter params(area);
  for (const char* name : {"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO"}) {
    params.add(name, std::string(8000, '\n'));
  }
  pyhost::ShortText text = pyhost::describe_request({area.data(), params.bytes()});
  CHECK(text.view().ends_with("%0A..."));
  const std::string said(1000, 's');
  CHECK(text.append(said).view().ends_with("..." + said));
  CHECK(text.append(std::string(10'000, 'x')).view().size() == pyhost::ShortText::kRoom);
}
