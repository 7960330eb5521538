// Records, ids and BEGIN_REQUEST: how fcgi::Decoder follows the stream of one connection.
#include "tests/unit/catch.h"
#include "tests/unit/fcgi_bytes.h"
#include "tests/unit/fcgi_events.h"

using namespace fcgi_test;

namespace {

std::string small_request(std::uint16_t id) {
  return begin(id) + params(id, {{"A", "b"}}) + params_end(id) + body(id, "xyz") + body_end(id);
}

Lines small_request_events(std::uint16_t id) {
  const std::string n = std::to_string(id);
  return {"begin " + n + " responder", "param " + n + " A=b", "params_end " + n,
          "body " + n + " xyz", "body_end " + n};
}

}  // namespace

TEST_CASE("decoder: nothing comes of nothing", "[fcgi]") {
  CHECK(events("").empty());
}

TEST_CASE("F4: a record is followed by its header of 8 bytes", "[fcgi]") {
  CHECK(events(small_request(1)) == small_request_events(1));
}

TEST_CASE("F4: another version than 1 is an error", "[fcgi]") {
  const Lines error = {"error: the version of a record is not 1"};
  std::string bytes = begin(1);
  bytes[0] = 0;
  CHECK(events(bytes) == error);
  bytes[0] = 2;
  CHECK(events(bytes) == error);
  CHECK(events("GET / HTTP/1.1\r\n\r\n") == error);
}

TEST_CASE("F4: after an error every call returns it again", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  std::string_view input = "GET / HTTP/1.1\r\n\r\n";
  const fcgi::Event first = decoder.next(input);
  CHECK(first.type == fcgi::EventType::error);
  const std::string more = begin(1);
  input = more;
  const fcgi::Event second = decoder.next(input);
  CHECK(second.type == fcgi::EventType::error);
  CHECK(second.reason == first.reason);
  CHECK(input.empty());
}

TEST_CASE("F5: padding of any length is skipped", "[fcgi]") {
  for (const std::size_t padding : {0U, 1U, 7U, 255U}) {
    const std::string bytes = record(kBegin, 1, number16(1) + std::string(6, '\0'), padding) +
                              record(kParams, 1, pair("A", "b"), padding) +
                              record(kParams, 1, "", padding) + record(kStdin, 1, "xyz", padding) +
                              record(kStdin, 1, "", padding);
    CHECK(events(bytes) == small_request_events(1));
  }
}

TEST_CASE("F5: a record of 65535 bytes of content", "[fcgi]") {
  const std::string bytes(65535, 'x');
  const std::string stream = begin(1) + params_end(1) + record(kStdin, 1, bytes, 1) + body_end(1);
  CHECK(events(stream) ==
        Lines{"begin 1 responder", "params_end 1", "body 1 " + bytes, "body_end 1"});
}

TEST_CASE("F6: several records in one read, each cut at every byte", "[fcgi]") {
  // events() itself decodes whole, byte by byte, and cut in two at every byte.
  Lines both = small_request_events(1);
  const Lines second = small_request_events(2);
  both.insert(both.end(), second.begin(), second.end());
  CHECK(events(small_request(1) + small_request(2)) == both);
}

TEST_CASE("F7: BEGIN_REQUEST with request id 0 is an error", "[fcgi]") {
  CHECK(events(begin(0)) == Lines{"error: BEGIN_REQUEST with request id 0"});
}

TEST_CASE("F7: other records of requests are ignored under id 0", "[fcgi]") {
  CHECK(events(abort_request(0) + params(0, {{"A", "b"}}) + body(0, "x") + data(0, "x") +
               small_request(1)) == small_request_events(1));
}

TEST_CASE("F8: records with an inactive id are ignored with their content", "[fcgi]") {
  CHECK(events(params(3, {{"A", "b"}}) + body(3, "x") + abort_request(3) + small_request(1) +
               data(2, "x")) == small_request_events(1));
}

TEST_CASE("F8: what comes after the end of a request is ignored", "[fcgi]") {
  CHECK(events({{begin(1) + params_end(1) + body(1, "x"), 1},
                {body(1, "late") + body_end(1) + abort_request(1)}}) ==
        Lines{"begin 1 responder", "params_end 1", "body 1 x"});
}

TEST_CASE("F8: a request that ends inside one of its records", "[fcgi]") {
  const Lines both = {"begin 7 responder", "begin 9 responder"};
  const auto ended_inside = [](const std::string& cut_record, std::size_t sent) {
    return events({{begin(7) + begin(9) + cut_record.substr(0, sent), 7},
                   {cut_record.substr(sent) + body(7, "late") + params_end(9)}});
  };
  Lines expected = both;
  expected.push_back("params_end 9");
  CHECK(ended_inside(record(kParams, 7, pair("A", "b"), 4), 9) == expected);
  CHECK(ended_inside(record(kParams, 7, pair("A", "b"), 4), 13) ==
        Lines{both[0], both[1], "param 7 A=b", "params_end 9"});
  CHECK(ended_inside(record(kAbort, 7, "abc", 4), 9) ==
        Lines{both[0], both[1], "abort 7", "params_end 9"});
}

TEST_CASE("F8: a request that ends while a record of another one is read", "[fcgi]") {
  const std::string cut_record = record(kParams, 9, pair("A", "b"), 4);
  CHECK(events({{begin(7) + begin(8) + begin(9) + cut_record.substr(0, 10), 7},
                {cut_record.substr(10) + params_end(9) + params_end(8)}}) ==
        Lines{"begin 7 responder", "begin 8 responder", "begin 9 responder", "param 9 A=b",
              "params_end 9", "params_end 8"});
}

TEST_CASE("F8: a request that ends inside BEGIN_REQUEST of another one or GET_VALUES", "[fcgi]") {
  const std::string second = begin(2);
  const std::string values = get_values({"A"});
  CHECK(events({{begin(1) + second.substr(0, 10), 1},
                {second.substr(10) + begin(3) + values.substr(0, 9), 3},
                {values.substr(9)}}) == Lines{"begin 1 responder", "begin 2 responder",
                                              "begin 3 responder", "get_values A",
                                              "get_values_end"});
}

TEST_CASE("F8: the end of a request mends no broken stream", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  CHECK(!feed(decoder, begin(1) + "GET / HTTP/1.1\r\n", trace));
  decoder.end(1);
  CHECK(!feed(decoder, begin(2), trace));
}

TEST_CASE("F9: any id from 1 to 65535, out of order, and again after its end", "[fcgi]") {
  CHECK(events({{begin(65535) + begin(1) + begin(256)},
                {params_end(256) + params_end(65535) + params_end(1), 65535},
                {begin(65535) + params_end(65535)}}) ==
        Lines{"begin 65535 responder", "begin 1 responder", "begin 256 responder", "params_end 256",
              "params_end 65535", "params_end 1", "begin 65535 responder", "params_end 65535"});
}

TEST_CASE("F9: 256 live requests keep their state apart", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  Lines expected;
  for (std::uint16_t n = 1; n <= 256; ++n) {
    const auto id = static_cast<std::uint16_t>(n * 255);
    CHECK(feed(decoder, begin(id) + record(kParams, id, pair("A", "b").substr(0, 3)), trace));
    expected.push_back("begin " + std::to_string(id) + " responder");
  }
  CHECK(decoder.live() == 256);
  CHECK(decoder.buffered() == 256 * 3);
  for (std::uint16_t n = 256; n >= 1; --n) {
    const auto id = static_cast<std::uint16_t>(n * 255);
    CHECK(feed(decoder, record(kParams, id, "b"), trace));
    decoder.end(id);
    expected.push_back("param " + std::to_string(id) + " A=b");
  }
  CHECK(trace.lines() == expected);
  CHECK(decoder.live() == 0);
  CHECK(decoder.buffered() == 0);
}

TEST_CASE("F10: BEGIN_REQUEST for an active id is an error", "[fcgi]") {
  CHECK(events(begin(1) + begin(1)) ==
        Lines{"begin 1 responder", "error: BEGIN_REQUEST for a request that is active"});
}

TEST_CASE("F11: BEGIN_REQUEST of other than 8 bytes is an error", "[fcgi]") {
  for (const std::size_t size : {0U, 7U, 9U, 65535U}) {
    CHECK(events(record(kBegin, 1, std::string(size, '\0'))) ==
          Lines{"error: the content of BEGIN_REQUEST is not 8 bytes"});
  }
}

TEST_CASE("F11: reserved bytes of BEGIN_REQUEST are ignored", "[fcgi]") {
  CHECK(events(record(kBegin, 1, number16(1) + std::string(1, '\0') + "\xff\xff\xff\xff\xff")) ==
        Lines{"begin 1 responder"});
}

TEST_CASE("F21: an unknown type with a request's id is ignored", "[fcgi]") {
  CHECK(events(begin(1) + record(12, 1, "abc") + record(255, 1, "") + record(0, 1, "x") +
               record(42, 9, "x") + params_end(1)) == Lines{"begin 1 responder", "params_end 1"});
}

TEST_CASE("F21: types that only an application sends are ignored", "[fcgi]") {
  CHECK(events(begin(1) + record(kEnd, 1, "12345678") + record(kStdout, 1, "x") +
               record(kStderr, 1, "x") + record(kGetValues, 1, pair("A", "")) + params_end(1)) ==
        Lines{"begin 1 responder", "params_end 1"});
}

TEST_CASE("F22: the three roles begin, every other one is refused", "[fcgi]") {
  CHECK(events(begin(1, 1) + begin(2, 2) + begin(3, 3) + begin(4, 0) + begin(5, 4) +
               begin(6, 65535)) == Lines{"begin 1 responder", "begin 2 authorizer",
                                         "begin 3 filter", "refuse 4 unknown_role",
                                         "refuse 5 unknown_role", "refuse 6 unknown_role"});
}

TEST_CASE("F22: a refused id stays inactive", "[fcgi]") {
  CHECK(events(begin(1, 9) + params(1, {{"A", "b"}}) + params_end(1) + body_end(1) + begin(1)) ==
        Lines{"refuse 1 unknown_role", "begin 1 responder"});
}

TEST_CASE("F23: bit 0 of the flags keeps the connection, the others say nothing", "[fcgi]") {
  CHECK(events(begin(1, 1, 0) + begin(2, 1, 1) + begin(3, 1, 0xfe) + begin(4, 1, 0xff)) ==
        Lines{"begin 1 responder", "begin 2 responder keep", "begin 3 responder",
              "begin 4 responder keep"});
}

TEST_CASE("F25: more live requests than the limit are refused as overloaded", "[fcgi]") {
  const fcgi::Limits limits{.requests = 2};
  CHECK(events({{begin(1) + begin(2) + begin(3), 1}, {begin(3) + begin(4)}}, limits) ==
        Lines{"begin 1 responder", "begin 2 responder", "refuse 3 overloaded", "begin 3 responder",
              "refuse 4 overloaded"});
}

TEST_CASE("F27: ABORT_REQUEST at any stage of a live request", "[fcgi]") {
  CHECK(events(begin(1) + abort_request(1)) == Lines{"begin 1 responder", "abort 1"});
  CHECK(events(begin(1) + params_end(1) + body(1, "x") + abort_request(1) + body(1, "y")) ==
        Lines{"begin 1 responder", "params_end 1", "body 1 x", "abort 1", "body 1 y"});
  CHECK(events(small_request(1) + abort_request(1)).back() == "abort 1");
}

TEST_CASE("F27: ABORT_REQUEST for an id that is not live is ignored", "[fcgi]") {
  CHECK(events({{abort_request(1) + begin(1), 1}, {abort_request(1)}}) ==
        Lines{"begin 1 responder"});
}
