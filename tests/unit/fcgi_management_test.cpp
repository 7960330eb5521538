// Management records, those with request id 0, as fcgi::Decoder reads them.
#include "tests/unit/catch.h"
#include "tests/unit/fcgi_bytes.h"
#include "tests/unit/fcgi_events.h"

using namespace fcgi_test;

TEST_CASE("F19: GET_VALUES asks for several names", "[fcgi]") {
  CHECK(events(get_values({"FCGI_MAX_CONNS", "FCGI_MPXS_CONNS", "X"})) ==
        Lines{"get_values FCGI_MAX_CONNS", "get_values FCGI_MPXS_CONNS", "get_values X",
              "get_values_end"});
}

TEST_CASE("F19: an empty GET_VALUES", "[fcgi]") {
  CHECK(events(get_values({}) + record(kGetValues, 0, "", 8)) ==
        Lines{"get_values_end", "get_values_end"});
}

TEST_CASE("F19: a value in GET_VALUES says nothing", "[fcgi]") {
  CHECK(events(record(kGetValues, 0, pair("FCGI_MAX_CONNS", "7") + pair("", ""), 3)) ==
        Lines{"get_values FCGI_MAX_CONNS", "get_values ", "get_values_end"});
}

TEST_CASE("F19: GET_VALUES in the middle of a pair of a request", "[fcgi]") {
  const std::string stream = pair("NAME", "value");
  CHECK(events(begin(1) + record(kParams, 1, stream.substr(0, 5)) + get_values({"A"}) +
               record(kParams, 1, stream.substr(5)) + params_end(1) + body(1, "x") +
               get_values({"B"}) + body_end(1)) ==
        Lines{"begin 1 responder", "get_values A", "get_values_end", "param 1 NAME=value",
              "params_end 1", "body 1 x", "get_values B", "get_values_end", "body_end 1"});
}

TEST_CASE("F19: GET_VALUES of the largest size", "[fcgi]") {
  const std::string name(65535 - 5, 'N');
  CHECK(events(record(kGetValues, 0, pair(name, ""))) ==
        Lines{"get_values " + name, "get_values_end"});
}

TEST_CASE("F19: GET_VALUES must hold whole pairs in one record", "[fcgi]") {
  const std::string good = pair("A", "");
  for (const std::string& rest : {byte(1), byte(5) + byte(0) + "BCD",
                                  std::string("\x80\x00\x00", 3), long_length(0x7fffffff)}) {
    CHECK(events(record(kGetValues, 0, good + rest)) ==
          Lines{"get_values A", "error: GET_VALUES ends inside a pair"});
  }
}

TEST_CASE("F19: GET_VALUES holds no memory once it was read", "[fcgi]") {
  fcgi::Decoder decoder{{}};
  EventTrace trace;
  const std::string bytes = get_values({std::string(1000, 'N')});
  CHECK(feed(decoder, bytes.substr(0, 500), trace));
  CHECK(decoder.buffered() == 500 - 8);
  CHECK(feed(decoder, bytes.substr(500), trace));
  CHECK(trace.lines().back() == "get_values_end");
  CHECK(decoder.buffered() == 0);
}

TEST_CASE("F20: unknown management types are reported with their number", "[fcgi]") {
  CHECK(events(record(12, 0, "") + record(0, 0, "abc") + record(255, 0, "abc", 5)) ==
        Lines{"unknown_type 12", "unknown_type 0", "unknown_type 255"});
}

TEST_CASE("F20: no answer is due to a known type", "[fcgi]") {
  CHECK(events(record(kUnknownType, 0, std::string(8, '\x0b')) +
               record(kGetValuesResult, 0, pair("A", "b")) + record(kEnd, 0, "12345678") +
               record(kStdout, 0, "x") + record(kStderr, 0, "x") + get_values({"A"})) ==
        Lines{"get_values A", "get_values_end"});
}
