// The error log: the form of a line, levels, and what cannot be forged.
#include "daemon/log.h"

#include "daemon/text.h"
#include "pyhost/unique_fd.h"
#include "tests/unit/captured_log.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <fcntl.h>
#include <regex>
#include <string>
#include <unistd.h>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

TEST_CASE("log: a line has time, level, object and text", "[log]") {
  CapturedLog log(LogLevel::notice);
  log_line(LogLevel::warning, "blog/2[4711]", "text");
  const std::regex form(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning blog/2\[4711\]: text\n)");
  CHECK(std::regex_match(log.text(), form));
}

TEST_CASE("log: the identity stands where no object is given", "[log]") {
  CapturedLog log(LogLevel::notice);
  set_log_identity("gateway");
  log_error("text");
  const std::string expected = " error gateway[" + std::to_string(getpid()) + "]: text\n";
  CHECK(log.text().ends_with(expected));
}

TEST_CASE("log: lines below the level are left out", "[log]") {
  CapturedLog log(LogLevel::warning);
  log_notice("left out");
  log_info("left out");
  log_debug("left out");
  CHECK(log.text() == "");
  CHECK(log_enabled(LogLevel::error));
  CHECK(log_enabled(LogLevel::warning));
  CHECK_FALSE(log_enabled(LogLevel::notice));
}

TEST_CASE("log: nothing from outside can forge a line", "[log]") {
  CapturedLog log(LogLevel::notice);
  log_line(LogLevel::notice, "a\nb", "one\ntwo\r\x1b[31m");
  const std::string line = log.text();
  CHECK(line.ends_with(" notice a\\nb: one\\ntwo\\x0d\\x1b[31m\n"));
}

TEST_CASE("log: control characters and the backslash are escaped", "[log]") {
  CHECK(escape_control("a\tb\\c\x7f") == "a\\tb\\\\c\\x7f");
  CHECK(escape_control(std::string("\0", 1)) == "\\x00");
  CHECK(escape_control("\xc2\x9b"
                       "31m") == "\\xc2\\x9b31m");
  CHECK(escape_control("gr\xc3\xbc\xc3\x9f"
                       "e \xc2\xa7") ==
        "gr\xc3\xbc\xc3\x9f"
        "e \xc2\xa7");
  CHECK(escape_control("\xc2") == "\\xc2");
  CHECK(escape_unprintable("{\"a\": \"\\n\"}\t\x1b[2J\xff") == "{\"a\": \"\\n\"}\t\\x1b[2J\\xff");
}

LogRecord applications(std::string_view text) {
  return {.level = LogLevel::warning,
          .object = "blog/2[4711]",
          .request_id = "5f3a-12",
          .text = text,
          .is_workers = true,
          .is_applications = true};
}

TEST_CASE("log: format text marks the lines behind an entry's first", "[log]") {
  const LineStart start{.time = "T"};
  CHECK(format_record(LogFormat::text, applications("one\ntwo\x1b"), start) ==
        "T warning blog/2[4711]: [5f3a-12] one\n"
        "T warning blog/2[4711]: [5f3a-12] | two\\x1b\n");
  LogRecord own = applications("one\ntwo");
  own.is_workers = false;
  CHECK(format_record(LogFormat::text, own, start) ==
        "T warning blog/2[4711]: [5f3a-12] one\\ntwo\n");
}

TEST_CASE("log: format plain leaves the application's lines alone", "[log]") {
  const LineStart start{.time = "T"};
  CHECK(format_record(LogFormat::plain, applications("{\"a\": \"\\n\"}\n\tb"), start) ==
        "{\"a\": \"\\n\"}\n\tb\n");
  LogRecord own = applications("failed");
  own.is_applications = false;
  CHECK(format_record(LogFormat::plain, own, start) ==
        "T warning blog/2[4711]: [5f3a-12] failed\n");
}

TEST_CASE("log: a request that the text names is a member of its own in format json only",
          "[log]") {
  const LineStart start{.time = "T"};
  const LogRecord record{.object = "blog",
                         .request_id = "5f3a-12",
                         .text = "request 5f3a-12 (GET /): answered 400: bad",
                         .names_request = true};
  CHECK(format_record(LogFormat::text, record, start) ==
        "T notice blog: request 5f3a-12 (GET /): answered 400: bad\n");
  CHECK(format_record(LogFormat::json, record, start) ==
        R"({"time":"T","level":"notice","object":"blog","request":"5f3a-12",)"
        R"("text":"request 5f3a-12 (GET /): answered 400: bad"})"
        "\n");
}

TEST_CASE("log: format json is an object a line", "[log]") {
  const LineStart start{.time = "T"};
  CHECK(format_record(LogFormat::json, applications("one\n\"two\"\xff"), start) ==
        R"({"time":"T","level":"warning","object":"blog/2","pid":4711,"request":"5f3a-12",)"
        R"("text":"one\n\"two\")"
        "\xef\xbf\xbd\"}\n");
  CHECK(format_record(LogFormat::json, {.object = "master", .text = "ready"}, start) ==
        R"({"time":"T","level":"notice","object":"master","text":"ready"})"
        "\n");
}

TEST_CASE("log: an entry of very many lines is cut, and says how many there were", "[log]") {
  const LineStart start{.time = "T"};
  const std::string text = std::string(kMaxEntryLines - 1, '\n') + "last";
  CHECK(format_record(LogFormat::text, applications(text), start).ends_with("| last\n"));
  const std::string one_more = format_record(LogFormat::text, applications(text + "\nx"), start);
  CHECK(
      one_more.ends_with("| last\nT warning blog/2[4711]: [5f3a-12] "
                         "| ... (cut, 1 line more)\n"));
  const std::string plain =
      format_record(LogFormat::plain, applications(std::string(60'000, '\n')), start);
  CHECK(plain == std::string(kMaxEntryLines, '\n') + "... (cut, 59000 lines more)\n");
}

TEST_CASE("log: an entry has a size in every form, whatever it is escaped to", "[log]") {
  constexpr std::size_t kSaid = 1024;  // of what is cut, and what stands before that
  const LineStart start{.priority = "<4>", .time = "T"};
  const std::string id(64, '\x01');
  const std::string bytes(64 * 1024, '\x01');
  std::string lines;
  while (lines.size() < bytes.size()) lines += std::string(99, '\x01') + "\n";
  for (const LogFormat format : {LogFormat::text, LogFormat::plain, LogFormat::json}) {
    for (const std::string& text : {bytes, lines}) {
      for (const bool is_workers : {true, false}) {
        LogRecord record = applications(text);
        record.request_id = id;
        record.is_workers = is_workers;
        const std::string entry = format_record(format, record, start);
        CHECK(entry.size() > kMaxEntryBytes - kSaid);
        CHECK(entry.size() < kMaxEntryBytes + kSaid);
        CHECK(entry.find(" more)", entry.size() - 12) != entry.npos);
      }
    }
  }
}

TEST_CASE("log: what an entry is cut to, and the rest, are the whole text", "[log]") {
  const LineStart start{.time = "T"};
  const std::string text(70'000, '\xff');  // four bytes each
  const std::string entry = format_record(LogFormat::plain, applications(text), start);
  const std::size_t shown = kMaxEntryBytes / 4;
  CHECK(entry.substr(4 * shown) == concat("... (cut, ", text.size() - shown, " bytes more)\n"));
  std::string_view rest = "a\"\x01z";
  CHECK(take_json_escaped(rest, 8) == "a\\\"");
  CHECK(rest == "\x01z");
  CHECK(take_json_escaped(rest, 8) == "\\u0001z");
}

TEST_CASE("log: every line of any form is UTF-8 without control characters", "[log]") {
  std::string bytes;
  for (int byte = 1; byte < 256; ++byte) bytes += static_cast<char>(byte);
  for (const LogFormat format : {LogFormat::text, LogFormat::plain, LogFormat::json}) {
    LogRecord record = applications(bytes);
    record.object = bytes;
    record.request_id = bytes;
    const std::string lines = format_record(format, record, {.priority = "<4>", .time = "T"});
    CHECK(lines.ends_with('\n'));
    for (std::string_view rest = lines; !rest.empty();) {
      CHECK(rest.starts_with("<4>"));
      rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
    }
    const bool is_clean = std::ranges::all_of(lines, [format](char character) {
      const bool is_tab = character == '\t' && format == LogFormat::plain;
      return character == '\n' || is_tab || static_cast<unsigned char>(character) >= 0x20;
    });
    CHECK(is_clean);
    CHECK(lines.find('\xff') == lines.npos);
    CHECK(lines.find('\xfe') == lines.npos);
  }
}

// Standard error is a pipe for as long as it lives.
class CapturedStandardError {
 public:
  CapturedStandardError() : saved_(::dup(STDERR_FILENO)) {
    std::array<int, 2> fds{};
    REQUIRE(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    read_.reset(fds[0]);
    ::dup2(fds[1], STDERR_FILENO);
    ::close(fds[1]);
  }
  ~CapturedStandardError() { ::dup2(saved_.get(), STDERR_FILENO); }
  CapturedStandardError(const CapturedStandardError&) = delete;
  CapturedStandardError& operator=(const CapturedStandardError&) = delete;

  std::string text() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(read_.get(), buffer.data(), buffer.size());
    return got <= 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(got));
  }

 private:
  pyhost::UniqueFd saved_;
  pyhost::UniqueFd read_;
};

TEST_CASE("log: a pipe gets an entry in whole lines, each piece at once", "[log]") {
  const CapturedLog restored(LogLevel::notice);
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_DIRECT | O_NONBLOCK) == 0);  // keeps writes apart
  const pyhost::UniqueFd reader(ends[0]);
  const pyhost::UniqueFd writer(ends[1]);
  set_log_fd(writer.get());
  std::string text;
  for (int line = 0; line < 300; ++line)
    text += "some words of line " + std::to_string(line) + "\n";
  log_record({.object = "blog/1[2]", .text = text, .is_workers = true});
  std::array<char, PIPE_BUF> piece{};
  std::size_t pieces = 0;
  for (ssize_t got = 0; (got = ::read(reader.get(), piece.data(), piece.size())) > 0; ++pieces) {
    CHECK(piece[static_cast<std::size_t>(got) - 1] == '\n');
  }
  CHECK(pieces > 1);
}

TEST_CASE("log: a full disk is told once, and when it is over", "[log]") {
  CapturedLog log(LogLevel::notice);
  const int file = log_fd();
  const pyhost::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  std::string told;
  {
    CapturedStandardError standard_error;
    set_log_fd(full.get());
    log_error("lost");
    log_error("lost too");
    told = standard_error.text();
  }
  CHECK(told.find(": cannot write the log: No space left on device") != std::string::npos);
  CHECK(told.find('\n') == told.size() - 1);
  set_log_fd(file);
  log_error("kept");
  const std::string text = log.text();
  CHECK(text.find("kept\n") != std::string::npos);
  CHECK(text.find("can be written again; lines lost: 2\n") != std::string::npos);
}

TEST_CASE("text: durations in two units at most", "[log]") {
  CHECK(duration_text(0ms) == "0ms");
  CHECK(duration_text(250ms) == "250ms");
  CHECK(duration_text(1500ms) == "1.5s");
  CHECK(duration_text(2000ms) == "2s");
  CHECK(duration_text(59'999ms) == "59s");
  CHECK(duration_text(200s) == "3m20s");
  CHECK(duration_text(2h) == "2h");
  CHECK(duration_text(75h + 59s) == "3d3h");
}

TEST_CASE("text: parts of a message are joined", "[log]") {
  CHECK(concat("a ", 1, std::string(" b "), in_quotes("c")) == "a 1 b \"c\"");
}

}  // namespace
