// The response head that a worker hands over: what passes, and what does not.
#include "daemon/gateway/response_head.h"

#include "tests/unit/catch.h"
#include "tests/unit/count_allocations.h"

#include <string>
#include <string_view>

using pycgid::error_response;
using pycgid::reason_phrase;
using pycgid::ResponseHead;

namespace {

const std::string kEnd = "Status: 200 OK\r\n\r\n";

// What check() says of a head that comes in one piece.
std::string problem(std::string_view text) {
  ResponseHead head;
  REQUIRE(head.append(text));
  return head.check();
}

bool is_good(std::string_view text) {
  return problem(text).empty();
}

// What goes out of a good one.
std::string passed(std::string_view text) {
  ResponseHead head;
  REQUIRE(head.append(text));
  REQUIRE(head.check().empty());
  return std::string(head.text());
}

bool starts(const std::string& text, std::string_view with) {
  return text.starts_with(with);
}

}  // namespace

TEST_CASE("response head: a plain one passes as it is", "[gateway]") {
  const std::string text =
      "Content-Type: text/html\r\nContent-Length: 12\r\nSet-Cookie: a=1\r\nSet-Cookie: b=\xE9\r\n"
      "X-Empty:\r\nStatus: 404 Not Found\r\n\r\n";
  ResponseHead head;
  CHECK(head.empty());
  for (const char byte : text) CHECK(head.append({&byte, 1}));
  CHECK(!head.empty());
  CHECK(head.check() == "");
  CHECK(head.text() == text);
  CHECK(head.status() == 404);
  CHECK(head.content_length() == 12U);
  CHECK(head.body_allowed());
}

TEST_CASE("response head: Status alone is enough", "[gateway]") {
  ResponseHead head;
  CHECK(head.append("Status: 204 No Content\r\n\r\n"));
  CHECK(head.check() == "");
  CHECK(!head.content_length());
  CHECK(!head.body_allowed());
}

TEST_CASE("W14: 304 has no body, 205 and 200 may have one", "[gateway]") {
  for (const int status : {200, 205, 304}) {
    ResponseHead head;
    CHECK(head.append("Status: " + std::to_string(status) + " X\r\n\r\n"));
    CHECK(head.check() == "");
    CHECK(head.body_allowed() == (status != 304));
  }
}

TEST_CASE("response head: Status is 200 to 999, with or without text", "[gateway]") {
  CHECK(is_good("Status: 200\r\n\r\n"));
  CHECK(is_good("status: 999 Odd\r\n\r\n"));
  for (const char* status : {"100 Continue", "101 Switching Protocols", "199 X", "099 X", "20 OK",
                             "2000 OK", "200OK", "-20 OK", "2x0 OK", "", "OK", "1000"}) {
    CHECK(starts(problem("Status: " + std::string(status) + "\r\n\r\n"), "unusable Status"));
  }
}

TEST_CASE("response head: Status is there, once, and the last line", "[gateway]") {
  CHECK(problem("A: b\r\n\r\n") == "no Status line");
  CHECK(problem("\r\n") == "no Status line");
  CHECK(problem("Status: 200 OK\r\nA: b\r\n\r\n") == "header line \"A: b\" after Status");
  CHECK(!is_good("Status: 200 OK\r\nStatus: 200 OK\r\n\r\n"));
}

TEST_CASE("response head: nothing follows its end", "[gateway]") {
  CHECK(problem(kEnd + "x") == "bytes after the end of the header");
  CHECK(problem(kEnd + "A: b\r\n\r\n") == "bytes after the end of the header");
}

TEST_CASE("response head: an unfinished one does not pass", "[gateway]") {
  const std::string whole = "A: b\r\n" + kEnd;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(!is_good(std::string_view(whole).substr(0, size)));
  }
  CHECK(is_good(whole));
}

TEST_CASE("W8: CR, LF or NUL within a line do not pass", "[gateway]") {
  using namespace std::string_literals;
  CHECK(!is_good("A: b\nC: d\r\n" + kEnd));
  CHECK(!is_good("A: b\rC: d\r\n" + kEnd));
  CHECK(!is_good("A: b\r\r\n" + kEnd));
  CHECK(!is_good("A: b\n\r\n" + kEnd));
  CHECK(!is_good("A: b\n" + kEnd));
  CHECK(problem("A: b\0\r\n"s + kEnd) == "NUL in the header");
  CHECK(problem("A\0: b\r\n"s + kEnd) == "NUL in the header");
}

TEST_CASE("response head: names are tokens, lines are not folded", "[gateway]") {
  for (const char* line : {": b", "A : b", " A: b", "\tb: c", "A\tB: c", "(A): b", "\xE9: b"}) {
    const std::string text = problem(std::string(line) + "\r\n" + kEnd);
    CHECK(text.ends_with("is not a token"));
  }
  CHECK(starts(problem("A: b\r\n folded\r\n" + kEnd), "no colon in header line"));
  CHECK(is_good("!#$%&'*+-.^_`|~09azAZ: b\r\n" + kEnd));
}

TEST_CASE("W8: hop-by-hop headers are dropped, in any case of letters", "[gateway]") {
  for (const char* name : {"Connection", "KEEP-ALIVE", "proxy-authenticate", "Proxy-Authorization",
                           "Te", "Trailer", "Trailers", "Transfer-Encoding", "uPGRADE"}) {
    ResponseHead head;
    CHECK(head.append("A: b\r\n" + std::string(name) + ": x\r\nC: d\r\n" + kEnd));
    CHECK(head.check() == "");
    CHECK(head.text() == "A: b\r\nC: d\r\n" + kEnd);
    CHECK(head.dropped() == name);
  }
  CHECK(passed("Test: x\r\nConnections: x\r\n" + kEnd) == "Test: x\r\nConnections: x\r\n" + kEnd);
}

TEST_CASE("response head: 204 loses its Content-Length, 304 keeps it", "[gateway]") {
  const std::string length = "Content-Length: 5\r\n";
  ResponseHead head;
  CHECK(head.append(length + "Status: 204 No Content\r\n\r\n"));
  CHECK(head.check() == "");
  CHECK(head.text() == "Status: 204 No Content\r\n\r\n");
  CHECK(!head.content_length());
  const std::string unchanged = length + "Status: 304 Not Modified\r\n\r\n";
  CHECK(passed(unchanged) == unchanged);
}

TEST_CASE("response head: a status without a phrase gets the usual one", "[gateway]") {
  CHECK(passed("Status: 200\r\n\r\n") == kEnd);
  CHECK(passed("A: 200\r\nStatus: 404\r\n\r\n") == "A: 200\r\nStatus: 404 Not Found\r\n\r\n");
  CHECK(passed("Status: 299\r\n\r\n") == "Status: 299\r\n\r\n");
  CHECK(passed("Status: 410 \t\r\n\r\n") == "Status: 410 Gone\r\n\r\n");
}

TEST_CASE("response head: tabs pass in values", "[gateway]") {
  CHECK(passed("A: b\tc\r\n" + kEnd) == "A: b\tc\r\n" + kEnd);
}

TEST_CASE("response head: one Content-Length, digits up to 2^63-1", "[gateway]") {
  CHECK(is_good("content-LENGTH:  9223372036854775807 \r\n" + kEnd));
  for (const char* length : {"", "-1", "+1", "1 2", "1,1", "0x1", "9223372036854775808"}) {
    CHECK(problem("Content-Length: " + std::string(length) + "\r\n" + kEnd) ==
          "Content-Length \"" + std::string(length) + "\" is no number");
  }
  CHECK(problem("Content-Length: 1\r\nContent-Length: 1\r\n" + kEnd) ==
        "more than one Content-Length");
}

TEST_CASE("response head: what is quoted is short", "[gateway]") {
  CHECK(problem(std::string(10'000, 'a') + "\r\n").size() < 150);
}

TEST_CASE("response head: grows to its limit and no further", "[gateway]") {
  ResponseHead head;
  CHECK(head.append(std::string(ResponseHead::kMaxBytes - 1, 'a')));
  CHECK(!head.append("bc"));
  CHECK(head.append("b"));
  CHECK(!head.append("c"));
}

TEST_CASE("response head: clear() forgets", "[gateway]") {
  ResponseHead head;
  CHECK(head.append("Content-Length: 1\r\n" + kEnd));
  CHECK(head.check() == "");
  head.clear();
  CHECK(head.empty());
  CHECK(!head.content_length());
  CHECK(head.append("Status: 201 Created\r\n\r\n"));
  CHECK(head.check() == "");
  CHECK(head.status() == 201);
}

TEST_CASE("response head: clear() keeps little memory", "[gateway]") {
  ResponseHead head;
  const auto allocations_for = [&head](const std::string& text) {
    head.clear();
    const std::size_t before = allocations();
    const bool fits = head.append(text);
    const std::size_t made = allocations() - before;
    CHECK(fits);
    return made;
  };
  CHECK(allocations_for(std::string(8'000, 'a')) > 0);
  CHECK(allocations_for(std::string(8'000, 'a')) == 0);
  CHECK(allocations_for(std::string(100'000, 'a')) > 0);
  CHECK(allocations_for(std::string(8'000, 'a')) > 0);
}

TEST_CASE("error response: a whole answer, Status last", "[gateway]") {
  CHECK(error_response(503) ==
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\n"
        "Status: 503 Service Unavailable\r\n\r\n503 Service Unavailable\n");
  CHECK(error_response(503, 5) ==
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\nRetry-After: 5\r\n"
        "Status: 503 Service Unavailable\r\n\r\n503 Service Unavailable\n");
}

TEST_CASE("error response: each passes the check, its length is true", "[gateway]") {
  for (const int status : {400, 413, 431, 500, 502, 503, 504, 599}) {
    const std::string answer = error_response(status);
    const std::size_t end = answer.find("\r\n\r\n") + 4;
    ResponseHead head;
    CHECK(head.append(answer.substr(0, end)));
    CHECK(head.check() == "");
    CHECK(head.status() == status);
    CHECK(head.content_length() == answer.size() - end);
    CHECK(reason_phrase(status).empty() == (status == 599));
  }
}
