// scgi::Decoder: the netstring, its variables, the body, and what may follow it.
#include "tests/unit/catch.h"
#include "tests/unit/scgi_bytes.h"
#include "tests/unit/scgi_events.h"

#include <cstdint>
#include <functional>

using namespace scgi_test;

namespace {

constexpr const char* kBadLength = "error 400 CONTENT_LENGTH is not one number";

std::string last_event(const std::string& bytes) {
  return events(bytes).back();
}

}  // namespace

TEST_CASE("S1: a request of a netstring and a body", "[scgi]") {
  // The example of the specification.
  CHECK(events(request({{"CONTENT_LENGTH", "27"},
                        {"SCGI", "1"},
                        {"REQUEST_METHOD", "POST"},
                        {"REQUEST_URI", "/deepthought"}}) +
               "What is the answer to life?") ==
        Lines{"param CONTENT_LENGTH=27", "param SCGI=1", "param REQUEST_METHOD=POST",
              "param REQUEST_URI=/deepthought", "params_end", "body What is the answer to life?",
              "body_end"});
}

TEST_CASE("S1: the length is of digits alone", "[scgi]") {
  const Lines error = {"error 400 the request does not begin with a netstring"};
  for (const char* bytes : {":", "-1:", "+5:", " 5:", "5 :", "0x10:", "GET / HTTP/1.1\r\n", ","}) {
    CHECK(events(bytes) == error);
  }
}

TEST_CASE("S1: the length has no leading zeros", "[scgi]") {
  const Lines error = {"error 400 a netstring length with leading zeros"};
  CHECK(events("070:CONTENT_LENGTH") == error);
  CHECK(events("00:,") == error);
}

TEST_CASE("S1: an empty netstring is no request", "[scgi]") {
  CHECK(events("0:,") == Lines{"error 400 no CONTENT_LENGTH"});
}

TEST_CASE("S1: a length up to the limit, and one byte more", "[scgi]") {
  const std::string bytes = request({{"CONTENT_LENGTH", "0"}, {"A", std::string(100, 'v')}});
  const std::size_t size = bytes.size() - 5;  // without "120:" and ","
  CHECK(events(bytes, {.params = size}).back() == "body_end");
  CHECK(events(bytes, {.params = size - 1}) == Lines{"error 431 the netstring is over the limit"});
}

TEST_CASE("S1: a length of any number of digits is over the limit", "[scgi]") {
  const Lines error = {"error 431 the netstring is over the limit"};
  CHECK(events("262145:") == error);
  CHECK(events(std::string(100, '9')) == error);
  CHECK(events("18446744073709551617:", {.params = ~std::size_t{0}}) == error);
  CHECK(events("1", {.params = 0}) == error);
}

TEST_CASE("S1: a netstring without its comma is an error", "[scgi]") {
  std::string bytes = request({{"CONTENT_LENGTH", "0"}});
  bytes.back() = ';';
  CHECK(last_event(bytes) == "error 400 no comma after the netstring");
}

TEST_CASE("S2: a variable needs a name, its value may be empty", "[scgi]") {
  CHECK(events(request({{"CONTENT_LENGTH", "0"}, {"A", ""}, {"B", ""}})) ==
        Lines{"param CONTENT_LENGTH=0", "param A=", "param B=", "params_end", "body_end"});
  CHECK(events(request({{"CONTENT_LENGTH", "0"}, {"", "v"}, {"B", ""}})) ==
        Lines{"param CONTENT_LENGTH=0", "error 400 a variable without a name"});
}

TEST_CASE("S2: a netstring that ends inside a variable is an error", "[scgi]") {
  const std::string whole = variables({{"CONTENT_LENGTH", "0"}});
  const std::string error = "error 400 the netstring ends inside a variable";
  for (std::size_t size = 1; size < whole.size(); ++size) {
    CHECK(last_event(netstring(whole.substr(0, size))) == error);
    CHECK(last_event(netstring(whole + whole.substr(0, size))) == error);
  }
}

TEST_CASE("S3: CONTENT_LENGTH is accepted at any place", "[scgi]") {
  CHECK(events(request({{"SCGI", "1"}, {"A", "b"}, {"CONTENT_LENGTH", "2"}}) + "xy") ==
        Lines{"param SCGI=1", "param A=b", "param CONTENT_LENGTH=2", "params_end", "body xy",
              "body_end"});
}

TEST_CASE("S3: CONTENT_LENGTH absent or empty is an error", "[scgi]") {
  CHECK(last_event(request({{"SCGI", "1"}})) == "error 400 no CONTENT_LENGTH");
  CHECK(last_event(request({{"CONTENT_LENGTH", ""}})) == kBadLength);
}

TEST_CASE("S4: SCGI=1 marks a request, at any place", "[scgi]") {
  const auto marked = [](const Variables& all) {
    scgi::Decoder decoder{{}};
    EventTrace trace;
    CHECK(feed(decoder, request(all), trace));
    CHECK(trace.lines().back() == "body_end");
    return decoder.marked();
  };
  CHECK(marked({{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}}));
  CHECK(marked({{"CONTENT_LENGTH", "0"}, {"A", "b"}, {"SCGI", "1"}}));
  CHECK(!marked({{"CONTENT_LENGTH", "0"}}));
  CHECK(!marked({{"CONTENT_LENGTH", "0"}, {"SCGI", "2"}}));
  CHECK(!marked({{"CONTENT_LENGTH", "0"}, {"SCGI", ""}}));
}

TEST_CASE("S5: repeated variables are passed on", "[scgi]") {
  CHECK(events(request({{"CONTENT_LENGTH", "0"}, {"HTTP_X", "1"}, {"HTTP_X", "2"}})) ==
        Lines{"param CONTENT_LENGTH=0", "param HTTP_X=1", "param HTTP_X=2", "params_end",
              "body_end"});
}

TEST_CASE("S5: a repeated CONTENT_LENGTH has to say the same", "[scgi]") {
  CHECK(events(request({{"CONTENT_LENGTH", "1"}, {"CONTENT_LENGTH", "1"}}) + "x") ==
        Lines{"param CONTENT_LENGTH=1", "param CONTENT_LENGTH=1", "params_end", "body x",
              "body_end"});
  CHECK(events(request({{"CONTENT_LENGTH", "1"}, {"CONTENT_LENGTH", "2"}}) + "x") ==
        Lines{"param CONTENT_LENGTH=1", kBadLength});
}

TEST_CASE("S6: the body ends after CONTENT_LENGTH bytes, without more input", "[scgi]") {
  scgi::Decoder decoder{{}};
  EventTrace trace;
  CHECK(feed(decoder, request({{"CONTENT_LENGTH", "3"}}) + "ab", trace));
  CHECK(trace.lines().back() == "body ab");
  CHECK(feed(decoder, "c", trace));
  CHECK(trace.lines().back() == "body_end");
}

TEST_CASE("S6: the end of an empty body comes too", "[scgi]") {
  CHECK(last_event(request({{"CONTENT_LENGTH", "0"}})) == "body_end");
}

TEST_CASE("S9: bytes after the body are told apart from it", "[scgi]") {
  CHECK(events(request({{"CONTENT_LENGTH", "2"}}) + "xyz123") ==
        Lines{"param CONTENT_LENGTH=2", "params_end", "body xy", "body_end", "surplus z123"});
  CHECK(last_event(request({{"CONTENT_LENGTH", "0"}}) + "frame") == "surplus frame");
}

TEST_CASE("S10: CONTENT_LENGTH that is no number is an error", "[scgi]") {
  for (const char* value : {"-1", "+1", " 1", "1 ", "1x", "0x1", "1,1", "x"}) {
    CHECK(last_event(request({{"CONTENT_LENGTH", value}})) == kBadLength);
  }
}

TEST_CASE("S10: CONTENT_LENGTH up to 2^63, and one more", "[scgi]") {
  const auto length = [](const char* value) {
    scgi::Decoder decoder{{}};
    EventTrace trace;
    CHECK(feed(decoder, request({{"CONTENT_LENGTH", value}}), trace));
    CHECK(trace.lines().back() == "params_end");
    return decoder.content_length();
  };
  CHECK(length("27") == 27);
  CHECK(length("9223372036854775808") == std::uint64_t{1} << 63);
  CHECK(last_event(request({{"CONTENT_LENGTH", "9223372036854775809"}})) == kBadLength);
  CHECK(last_event(request({{"CONTENT_LENGTH", "18446744073709551616"}})) == kBadLength);
}

TEST_CASE("S11: names are passed on as they are", "[scgi]") {
  CHECK(events(request({{"CONTENT_LENGTH", "0"}, {"x-Name", "a"}, {"content_length", "b"}})) ==
        Lines{"param CONTENT_LENGTH=0", "param x-Name=a", "param content_length=b", "params_end",
              "body_end"});
}

TEST_CASE("decoder: after an error every call returns it again", "[scgi]") {
  scgi::Decoder decoder{{}};
  std::string_view input = "99999999999999";
  const scgi::Event first = decoder.next(input);
  input = "3:abc,";
  const scgi::Event second = decoder.next(input);
  CHECK(first.type == scgi::EventType::error);
  CHECK(second.type == scgi::EventType::error);
  CHECK(second.http_status == 431);
  CHECK(second.reason == first.reason);
  CHECK(input.empty());
}

TEST_CASE("decoder: variables that lie whole in the input are not copied", "[scgi]") {
  scgi::Decoder decoder{{}};
  const std::string bytes = request({{"CONTENT_LENGTH", "2"}, {"A", std::string(5000, 'v')}});
  std::string_view input = bytes;
  const std::less_equal<const char*> not_after;
  for (int n = 0; n < 2; ++n) {
    const scgi::Event event = decoder.next(input);
    CHECK(event.type == scgi::EventType::param);
    CHECK(not_after(bytes.data(), event.name.data()));
    CHECK(not_after(event.value.data() + event.value.size(), bytes.data() + bytes.size()));
    CHECK(decoder.buffered() == 0);
  }
}

TEST_CASE("decoder: only the variable that a border cuts is assembled", "[scgi]") {
  scgi::Decoder decoder{{}};
  EventTrace trace;
  const std::string first = variables({{"CONTENT_LENGTH", "2"}, {"A", std::string(300, 'v')}});
  const std::string bytes = netstring(first + variables({{"NAME", "value"}})) + "xy";
  const std::size_t cut = 4 + first.size() + 7;
  CHECK(feed(decoder, bytes.substr(0, cut), trace));
  CHECK(decoder.buffered() == 7);
  CHECK(feed(decoder, bytes.substr(cut), trace));
  CHECK(trace.lines().back() == "body_end");
  CHECK(decoder.buffered() == 0);
}
