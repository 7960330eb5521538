// What fcgi::Decoder copies and what it keeps: nothing that it need not.
#include "tests/unit/catch.h"
#include "tests/unit/fcgi_bytes.h"
#include "tests/unit/fcgi_events.h"

#include <functional>

using namespace fcgi_test;

namespace {

bool lies_in(std::string_view part, std::string_view whole) {
  const std::less_equal<const char*> not_after;
  return not_after(whole.data(), part.data()) &&
         not_after(part.data() + part.size(), whole.data() + whole.size());
}

}  // namespace

TEST_CASE("decoder: variables that lie whole in the input are not copied", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  const std::string bytes =
      begin(1) + params(1, {{"A", "b"}, {"NAME", std::string(5000, 'v')}, {"C", "d"}});
  std::string_view input = bytes;
  CHECK(decoder.next(input).type == fcgi::EventType::begin);
  for (int n = 0; n < 3; ++n) {
    const fcgi::Event event = decoder.next(input);
    CHECK(event.type == fcgi::EventType::param);
    CHECK(lies_in(event.name, bytes));
    CHECK(lies_in(event.value, bytes));
    CHECK(decoder.buffered() == 0);
  }
}

TEST_CASE("decoder: bodies pass through in place", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  CHECK(feed(decoder, begin(1) + params_end(1), trace));
  const std::string bytes = body(1, std::string(60000, 'x'));
  std::string_view input = std::string_view(bytes).substr(0, 40000);
  const fcgi::Event event = decoder.next(input);
  CHECK(event.bytes.size() == 40000 - 8);
  CHECK(lies_in(event.bytes, bytes));
  CHECK(decoder.buffered() == 0);
}

TEST_CASE("decoder: only the pair that a border cuts is assembled", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  const std::string first = pair("FIRST", std::string(300, 'v'));
  CHECK(feed(decoder, begin(1) + record(kParams, 1, first + pair("A", "bc").substr(0, 3)), trace));
  CHECK(decoder.buffered() == 3);
  CHECK(feed(decoder, record(kParams, 1, "bc" + pair("C", "d")), trace));
  CHECK(trace.lines().back() == "param 1 C=d");
  CHECK(decoder.buffered() == 0);
}

TEST_CASE("decoder: the bytes of a cut header are counted", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  CHECK(feed(decoder, begin(1).substr(0, 5), trace));
  CHECK(decoder.buffered() == 5);
  CHECK(feed(decoder, begin(1).substr(5), trace));
  CHECK(decoder.buffered() == 0);
}

TEST_CASE("decoder: a long length claimed takes no memory", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  CHECK(feed(decoder, begin(1) + record(kParams, 1, length(1) + long_length(200000) + "A"), trace));
  CHECK(decoder.buffered() == 6);
}

TEST_CASE("decoder: a request gives its memory back however it ends", "[fcgi]") {
  const std::string cut_pair = record(kParams, 1, pair("NAME", "value").substr(0, 8));
  const auto buffered_after = [&](const std::string& then, std::uint16_t end) {
    fcgi::Decoder decoder{{}};
    EventTrace trace;
    CHECK(feed(decoder, begin(1) + cut_pair, trace));
    CHECK(decoder.buffered() == 8);
    CHECK(feed(decoder, then, trace));
    decoder.end(end);
    return decoder.buffered();
  };
  CHECK(buffered_after(record(kParams, 1, "lue") + params_end(1), 0) == 0);
  CHECK(buffered_after(params_end(1), 0) == 0);
  CHECK(buffered_after(body(1, "x"), 0) == 0);
  CHECK(buffered_after("", 1) == 0);
}

TEST_CASE("decoder: live counts requests from BEGIN_REQUEST to end", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  CHECK(decoder.live() == 0);
  CHECK(feed(decoder, begin(1) + begin(2) + begin(3, 9), trace));
  CHECK(decoder.live() == 2);
  decoder.end(3);
  CHECK(decoder.live() == 2);
  decoder.end(1);
  decoder.end(1);
  CHECK(decoder.live() == 1);
  decoder.end(2);
  CHECK(decoder.live() == 0);
}
