// The streams of a request, PARAMS, STDIN and DATA, as fcgi::Decoder reads them.
#include "tests/unit/catch.h"
#include "tests/unit/fcgi_bytes.h"
#include "tests/unit/fcgi_events.h"

using namespace fcgi_test;

namespace {

// The events of a request with this PARAMS stream in one record, without the first, "begin".
Lines params_events(const std::string& stream, const fcgi::Limits& limits = {}) {
  Lines lines = events(begin(1) + record(kParams, 1, stream) + params_end(1), limits);
  lines.erase(lines.begin());
  return lines;
}

}  // namespace

TEST_CASE("F12: an empty record ends a stream", "[fcgi]") {
  CHECK(events(begin(1) + params_end(1) + body(1, "ab") + body(1, "cd") + body_end(1)) ==
        Lines{"begin 1 responder", "params_end 1", "body 1 abcd", "body_end 1"});
}

TEST_CASE("F12: what comes after the end of a stream is ignored", "[fcgi]") {
  CHECK(events(begin(1) + params_end(1) + params(1, {{"A", "b"}}) + params_end(1) + body_end(1) +
               body(1, "late") + body_end(1)) ==
        Lines{"begin 1 responder", "params_end 1", "body_end 1"});
}

TEST_CASE("F13: pairs split over records at every byte", "[fcgi]") {
  const std::string stream =
      pair("A", "b") + pair("NAME", std::string(200, 'v')) + long_length(3) + length(2) + "KEYvv";
  const Lines expected = {"begin 1 responder", "param 1 A=b",
                          "param 1 NAME=" + std::string(200, 'v'), "param 1 KEY=vv",
                          "params_end 1"};
  for (std::size_t at = 1; at < stream.size(); ++at) {
    const std::string bytes = begin(1) + record(kParams, 1, stream.substr(0, at), at % 8) +
                              record(kParams, 1, stream.substr(at)) + params_end(1);
    CHECK(decode({{bytes}}, {}, Cut{}) == expected);
    CHECK(decode({{bytes}}, {}, Cut{1, 1}) == expected);
  }
}

TEST_CASE("F13: a record for each byte of the PARAMS stream", "[fcgi]") {
  std::string bytes = begin(1);
  for (const char c : pair("NAME", std::string(130, 'v'))) {
    bytes += record(kParams, 1, std::string(1, c));
  }
  CHECK(events(bytes + params_end(1)) ==
        Lines{"begin 1 responder", "param 1 NAME=" + std::string(130, 'v'), "params_end 1"});
}

TEST_CASE("F13: a value that takes several records of the largest size", "[fcgi]") {
  const std::string value(150000, 'v');
  const std::string stream = pair("BIG", value);
  const std::string bytes = begin(1) + record(kParams, 1, stream.substr(0, 65535), 1) +
                            record(kParams, 1, stream.substr(65535, 65535), 1) +
                            record(kParams, 1, stream.substr(131070)) + params_end(1);
  const Lines expected = {"begin 1 responder", "param 1 BIG=" + value, "params_end 1"};
  CHECK(decode({{bytes}}, {}, Cut{}) == expected);
  CHECK(decode({{bytes}}, {}, Cut{.next = 100, .every = 4096}) == expected);
}

TEST_CASE("F14: lengths of one byte up to 127, of four bytes from 128", "[fcgi]") {
  for (const std::size_t size : {1U, 127U, 128U, 255U, 256U, 3000U}) {
    const std::string name(size, 'N');
    const std::string value(size, 'v');
    const Lines expected = {"param 1 " + name + "=" + value, "params_end 1"};
    CHECK(params_events(pair(name, value)) == expected);
  }
}

TEST_CASE("F14: a short length in four bytes", "[fcgi]") {
  CHECK(params_events(long_length(1) + long_length(2) + "Abc") ==
        Lines{"param 1 A=bc", "params_end 1"});
  CHECK(params_events(long_length(1) + length(0) + "A") == Lines{"param 1 A=", "params_end 1"});
}

TEST_CASE("F14: a value may be empty, a name may not", "[fcgi]") {
  CHECK(params_events(pair("A", "") + pair("B", "")) ==
        Lines{"param 1 A=", "param 1 B=", "params_end 1"});
  CHECK(params_events(pair("A", "b") + pair("", "v") + pair("C", "d")) ==
        Lines{"param 1 A=b", "bad_request 1 400 a variable without a name"});
  CHECK(params_events(pair("", "")) == Lines{"bad_request 1 400 a variable without a name"});
}

TEST_CASE("F14: a NUL byte in a name or a value is a bad request", "[fcgi]") {
  const Lines bad = {"bad_request 1 400 a NUL byte in a variable"};
  CHECK(params_events(pair(std::string("A\0B", 3), "v")) == bad);
  CHECK(params_events(pair("A", std::string("v\0", 2))) == bad);
}

TEST_CASE("F15: PARAMS that end inside a pair are a bad request", "[fcgi]") {
  const std::string whole = long_length(3) + long_length(2) + "KEYvv";
  for (std::size_t size = 1; size < whole.size(); ++size) {
    CHECK(params_events(whole.substr(0, size)) ==
          Lines{"bad_request 1 400 PARAMS end inside a name-value pair"});
  }
}

TEST_CASE("F16: streams of several requests interleave", "[fcgi]") {
  const std::string first = pair("FIRST", "1");
  const std::string second = pair("SECOND", "2");
  CHECK(events(begin(1) + begin(2, 3) + record(kParams, 1, first.substr(0, 4)) +
               record(kParams, 2, second.substr(0, 6)) + record(kParams, 1, first.substr(4)) +
               params_end(1) + body(1, "a") + record(kParams, 2, second.substr(6)) + params_end(2) +
               body(2, "b") + body(1, "c") + body_end(2) + data(2, "d") + body_end(1) +
               data_end(2)) == Lines{"begin 1 responder", "begin 2 filter", "param 1 FIRST=1",
                                     "params_end 1", "body 1 a", "param 2 SECOND=2", "params_end 2",
                                     "body 2 b", "body 1 c", "body_end 2", "data 2 d", "body_end 1",
                                     "data_end 2"});
}

TEST_CASE("F31: an authorizer without any STDIN", "[fcgi]") {
  CHECK(events(begin(1, 2) + params(1, {{"A", "b"}}) + params_end(1)) ==
        Lines{"begin 1 authorizer", "param 1 A=b", "params_end 1"});
}

TEST_CASE("F32: a filter gets STDIN, then DATA", "[fcgi]") {
  CHECK(events(begin(1, 3) + params_end(1) + body(1, "ab") + body_end(1) + data(1, "cd") +
               data(1, "ef") + data_end(1) + data(1, "late") + data_end(1)) ==
        Lines{"begin 1 filter", "params_end 1", "body 1 ab", "body_end 1", "data 1 cdef",
              "data_end 1"});
}

TEST_CASE("F32: DATA for a responder or an authorizer is ignored", "[fcgi]") {
  for (const std::uint16_t role : {std::uint16_t{1}, std::uint16_t{2}}) {
    const Lines lines =
        events(begin(1, role) + data(1, "x") + params_end(1) + data(1, "y") + data_end(1));
    CHECK(lines.size() == 2);
    CHECK(lines.back() == "params_end 1");
  }
}

TEST_CASE("decoder: STDIN before the end of PARAMS is a bad request", "[fcgi]") {
  const std::string reason = "bad_request 1 400 STDIN before the end of PARAMS";
  CHECK(events(begin(1) + params(1, {{"A", "b"}}) + body(1, "xy") + params(1, {{"C", "d"}}) +
               params_end(1) + body(1, "z") + body_end(1)) ==
        Lines{"begin 1 responder", "param 1 A=b", reason, "body 1 xyz", "body_end 1"});
  CHECK(events(begin(1) + body_end(1) + params_end(1)) ==
        Lines{"begin 1 responder", reason, "body_end 1"});
}

TEST_CASE("decoder: DATA before the end of PARAMS is a bad request of a filter", "[fcgi]") {
  CHECK(events(begin(1, 3) + data(1, "x") + data_end(1)) ==
        Lines{"begin 1 filter", "bad_request 1 400 DATA before the end of PARAMS", "data 1 x",
              "data_end 1"});
}

TEST_CASE("decoder: after a bad request its body and ABORT still come", "[fcgi]") {
  CHECK(events(begin(1) + params(1, {{"", "v"}, {"A", "b"}}) + params(1, {{"C", "d"}}) +
               params_end(1) + body(1, "x") + body_end(1) + abort_request(1) + begin(2)) ==
        Lines{"begin 1 responder", "bad_request 1 400 a variable without a name", "body 1 x",
              "body_end 1", "abort 1", "begin 2 responder"});
}

TEST_CASE("decoder: PARAMS up to the limit, and one byte more", "[fcgi]") {
  const std::string stream = pair("A", "1234") + pair("B", "5678");
  const Lines both = {"param 1 A=1234", "param 1 B=5678", "params_end 1"};
  CHECK(params_events(stream, {.params = stream.size()}) == both);
  CHECK(params_events(stream, {.params = stream.size() - 1}) ==
        Lines{"param 1 A=1234", "bad_request 1 431 PARAMS are over the limit"});
}

TEST_CASE("decoder: a length over the limit is known before its bytes come", "[fcgi]") {
  const Lines too_long = {"begin 1 responder", "bad_request 1 431 PARAMS are over the limit"};
  const fcgi::Limits limits{.params = 1000};
  CHECK(events(begin(1) + record(kParams, 1, length(1) + long_length(998)), limits) == too_long);
  CHECK(events(begin(1) + record(kParams, 1, long_length(0x7fffffff) + long_length(0x7fffffff)),
               limits) == too_long);
  CHECK(events(begin(1) + record(kParams, 1, long_length(0x40000000) + length(0)), limits) ==
        too_long);
}

TEST_CASE("decoder: requests have their limits each for itself", "[fcgi]") {
  const fcgi::Limits limits{.params = 10};
  CHECK(events(begin(1) + begin(2) + params(1, {{"A", "1234567"}}) + params(2, {{"A", "1234567"}}) +
                   params(1, {{"B", ""}}) + params_end(2),
               limits) == Lines{"begin 1 responder", "begin 2 responder", "param 1 A=1234567",
                                "param 2 A=1234567", "bad_request 1 431 PARAMS are over the limit",
                                "params_end 2"});
}
