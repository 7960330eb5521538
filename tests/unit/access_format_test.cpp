// Option "access-format": what each code writes, what is refused, and what cannot be forged.
#include "daemon/gateway/access_format.h"

#include "tests/unit/catch.h"

#include <chrono>
#include <string>
#include <string_view>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

// A request as it is after a good answer.
AccessRecord record(std::string_view user_agent = "agent") {
  AccessRecord made;
  made.request.add("REQUEST_METHOD", "GET");
  made.request.add("REQUEST_URI", "/a%20b?x=1");
  made.request.add("SCRIPT_NAME", "/a b");
  made.request.add("SERVER_PROTOCOL", "HTTP/1.1");
  made.request.add("REMOTE_ADDR", "192.0.2.7");
  made.request.add("HTTP_USER_AGENT", user_agent);
  made.request.add("CONTENT_TYPE", "text/x");
  REQUIRE_FALSE(made.request.finish({}));
  made.id = "5f3a-1";
  made.pool = "blog";
  made.response_head = "X-One: first\r\nSet-Cookie: a=b\r\nStatus: 200 OK\r\n\r\n";
  made.status = 200;
  made.complete = true;
  made.body_sent = 5;
  made.worker_pid = 4711;
  made.queued = made.began + 10us;
  made.taken = made.queued + 200us;
  made.answered = made.taken + 3000us;
  made.ended = made.began + 1'234'567us;
  made.received = {.seconds = 1'795'326'584, .microseconds = 123'456};
  ::gmtime_r(&made.received.seconds, &made.received.utc);
  return made;
}

std::string line(std::string_view format, const AccessRecord& of) {
  AccessFormat compiled;
  REQUIRE(compiled.compile(format).empty());
  std::string text;
  compiled.append(text, of);
  REQUIRE(text.ends_with('\n'));
  text.pop_back();
  return text;
}

std::string line(std::string_view format) {
  return line(format, record());
}

std::string wrong(std::string_view format) {
  return AccessFormat().compile(format);
}

TEST_CASE("access format: the ready format combined is Apache's", "[access]") {
  CHECK(line("combined") ==
        "192.0.2.7 - - [22/Nov/2026:05:49:44 +0000] \"GET /a%20b?x=1 HTTP/1.1\" 200 5 \"-\" "
        "\"agent\"");
}

TEST_CASE("access format: the ready format common is Apache's", "[access]") {
  CHECK(line("common") ==
        "192.0.2.7 - - [22/Nov/2026:05:49:44 +0000] \"GET /a%20b?x=1 HTTP/1.1\" 200 5");
}

TEST_CASE("access format: codes of the request", "[access]") {
  CHECK(line("%m|%U|%q|%H|%a|%h|%p|%v|%V") ==
        "GET|/a%20b|?x=1|HTTP/1.1|192.0.2.7|192.0.2.7|80|localhost|localhost");
  CHECK(line("%{User-Agent}i|%{content-type}i|%{X-None}i|%{SCRIPT_NAME}e") == "agent|text/x|-|-");
  CHECK(line("%{PATH_INFO}e|%u|%l|%f|%A") == "/a b|-|-|-|-");
}

TEST_CASE("access format: codes of the answer", "[access]") {
  CHECK(line("%s %>s %<s %b %B %X %{set-cookie}o %{X-ONE}o %{None}o") ==
        "200 200 200 5 5 - a=b first -");
  AccessRecord cut = record();
  cut.complete = false;
  cut.body_sent = 0;
  cut.worker_pid = 0;
  CHECK(line("%X %b %B %P %{aborted}n", cut) == "X - 0 - 1");
}

TEST_CASE("access format: times", "[access]") {
  CHECK(line("%D %T %{s}T %{ms}T %{us}T %{queue}T %{app}T") == "1234567 1 1 1234 1234567 200 3000");
  CHECK(line("%{iso}t %{sec}t %{msec}t %{usec}t") ==
        "2026-11-22T05:49:44.123Z 1795326584 1795326584123 1795326584123456");
  CHECK(line("%{%d.%m.%Y}t") == "22.11.2026");
}

TEST_CASE("access format: who had the request", "[access]") {
  CHECK(line("%{pool}n %{id}n %L %P %{pid}P") == "blog 5f3a-1 5f3a-1 4711 4711");
}

TEST_CASE("access format: bytes on both ways, with variables and head", "[access]") {
  AccessRecord some = record();
  some.body_received = 1000;
  CHECK(line("%I", some) == std::to_string(some.request.bytes() + 1000));
  CHECK(line("%O", some) == std::to_string(some.response_head.size() + 5));
}

TEST_CASE("access format: a request that nothing is known of", "[access]") {
  AccessRecord unread;
  CHECK(line("%h \"%r\" %{Referer}i", unread) == "- \"-\" -");
}

TEST_CASE("access format: other text stands as it is, a percent sign is doubled", "[access]") {
  CHECK(line("a\\\"%%D %%") == "a\\\"%D %");
  CHECK(line("") == "");
}

TEST_CASE("access format: an unknown code is refused by name", "[access]") {
  CHECK(wrong("%h %Z") == "has the unknown code \"%Z\"");
  CHECK(wrong("%{tid}P x") == "has the unknown code \"%{tid}P\"");
  CHECK(wrong("%{x}h") == "has the unknown code \"%{x}h\"");
  CHECK(wrong("%i") == "has the unknown code \"%i\"");
  CHECK(wrong("%{Referer") == "has no \"}\" behind \"%{Referer\"");
  CHECK(wrong("100%") == "ends inside the code \"%\"");
  CHECK(wrong("%{a}") == "ends inside the code \"%{a}\"");
}

TEST_CASE("access format: nothing from outside ends a field or a line", "[access]") {
  const AccessRecord forged = record("a\" 200\n\r\t\\\x1b[31m\x9b\x7f\xc3\xa4");
  CHECK(line("\"%{User-Agent}i\"", forged) ==
        "\"a\\\" 200\\n\\r\\t\\\\\\x1b[31m\\x9b\\x7f\\xc3\\xa4\"");
}

TEST_CASE("access format: json is one object, absent values are null", "[access]") {
  AccessRecord some = record("\"\\\n\x1b");
  CHECK(line("json", some) ==
        "{\"time\":\"2026-11-22T05:49:44.123Z\",\"id\":\"5f3a-1\",\"pool\":\"blog\","
        "\"worker_pid\":4711,\"remote_addr\":\"192.0.2.7\",\"user\":null,\"method\":\"GET\","
        "\"uri\":\"/a%20b?x=1\",\"protocol\":\"HTTP/1.1\",\"host\":null,\"status\":200,\"bytes\":5,"
        "\"bytes_received\":" +
            std::to_string(some.request.bytes()) +
            ",\"referer\":null,\"user_agent\":\"\\\"\\\\\\n\\u001b\",\"duration_us\":1234567,"
            "\"queue_us\":200,\"app_us\":3000,\"aborted\":0}");
}

std::string in_json(std::string_view user_agent) {
  const std::string text = line("json", record(user_agent));
  const std::string key = "\"user_agent\":";
  const std::size_t at = text.find(key) + key.size();
  return text.substr(at, text.find(",\"duration_us\"") - at);
}

TEST_CASE("access format: json keeps UTF-8 and replaces what is none", "[access]") {
  CHECK(in_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") ==
        "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
  CHECK(in_json("\xff|\xc3|") == "\"\xef\xbf\xbd|\xef\xbf\xbd|\"");
  CHECK(in_json("\xc0\xaf") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");                  // overlong
  CHECK(in_json("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
  CHECK(in_json("\xe2\x82") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");                  // cut short
  CHECK(in_json("\xc2\x9b\x7f") == "\"\\u009b\\u007f\"");
}

}  // namespace
