// What the encoder appends, read back by a small parser of the tests' own.
#include "fcgi/encoder.h"
#include "tests/unit/catch.h"
#include "tests/unit/fcgi_bytes.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using namespace fcgi_test;

namespace {

struct Record {
  unsigned type = 0;
  unsigned id = 0;
  std::string content;
  bool operator==(const Record&) const = default;
};

unsigned at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

// Checks what all records of ours have in common: version, zero bytes in reserved and padding, and
// a length that keeps the next record aligned.
std::vector<Record> parse(std::string_view bytes) {
  std::vector<Record> records;
  while (!bytes.empty()) {
    REQUIRE(bytes.size() >= 8);
    const std::size_t content = at(bytes, 4) << 8 | at(bytes, 5);
    const std::size_t padding = at(bytes, 6);
    CHECK(at(bytes, 0) == 1);
    CHECK(at(bytes, 7) == 0);
    CHECK((content + padding) % 8 == 0);
    CHECK(padding < 8);
    REQUIRE(bytes.size() >= 8 + content + padding);
    CHECK(bytes.substr(8 + content, padding) == std::string(padding, '\0'));
    records.push_back(
        {at(bytes, 1), at(bytes, 2) << 8 | at(bytes, 3), std::string(bytes.substr(8, content))});
    bytes.remove_prefix(8 + content + padding);
  }
  return records;
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t n = 0; n < size; ++n) bytes[n] = static_cast<char>(n * 7 + n / 256);
  return bytes;
}

}  // namespace

TEST_CASE("F5: output is aligned to 8 bytes, with zeros", "[fcgi]") {
  for (std::size_t size = 1; size <= 17; ++size) {
    std::string out;
    fcgi::append_stdout(out, 0x1234, pattern(size));
    CHECK(out.size() % 8 == 0);
    CHECK(parse(out) == std::vector<Record>{{kStdout, 0x1234, pattern(size)}});
  }
}

TEST_CASE("F17: STDOUT of no bytes is no record, since that would end the stream", "[fcgi]") {
  std::string out = "before";
  fcgi::append_stdout(out, 1, "");
  fcgi::append_stderr(out, 1, "");
  CHECK(out == "before");
}

TEST_CASE("F17: STDERR is a stream of its own", "[fcgi]") {
  std::string out;
  fcgi::append_stderr(out, 65535, "oops");
  CHECK(parse(out) == std::vector<Record>{{kStderr, 65535, "oops"}});
}

TEST_CASE("F17: an empty STDOUT record comes before END_REQUEST", "[fcgi]") {
  std::string out;
  fcgi::append_end(out, 7);
  CHECK(parse(out) == std::vector<Record>{{kStdout, 7, ""}, {kEnd, 7, std::string(8, '\0')}});
}

TEST_CASE("F18: content is split at 65528 bytes", "[fcgi]") {
  for (const std::size_t size : {65527U, 65528U, 65529U, 65535U, 65536U, 200000U}) {
    std::string out;
    const std::string bytes = pattern(size);
    fcgi::append_stdout(out, 9, bytes);
    const std::vector<Record> records = parse(out);
    CHECK(records.size() == (size + 65527) / 65528);
    std::string joined;
    for (const Record& record : records) {
      CHECK(record.type == kStdout);
      CHECK(record.id == 9);
      CHECK(record.content.size() == std::min<std::size_t>(65528, size - joined.size()));
      joined += record.content;
    }
    CHECK(joined == bytes);
  }
}

TEST_CASE("F18: a header alone says how much padding its content needs", "[fcgi]") {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 4095U, 65528U}) {
    std::size_t padding = 99;
    const std::array<char, 8> header = fcgi::stdout_header(258, size, padding);
    std::string out(header.data(), header.size());
    out += pattern(size) + std::string(padding, '\0');
    CHECK(parse(out) == std::vector<Record>{{kStdout, 258, pattern(size)}});
  }
}

TEST_CASE("F19: GET_VALUES_RESULT is one record under id 0", "[fcgi]") {
  fcgi::GetValuesResult result;
  result.add("FCGI_MPXS_CONNS", "1");
  result.add("LONG", std::string(200, 'v'));
  std::string out;
  result.append_to(out);
  CHECK(parse(out) ==
        std::vector<Record>{{kGetValuesResult, 0,
                             pair("FCGI_MPXS_CONNS", "1") + pair("LONG", std::string(200, 'v'))}});
}

TEST_CASE("F14: lengths up to 127 are written in one byte, from 128 in four", "[fcgi]") {
  for (const std::size_t size : {0U, 127U, 128U, 255U, 256U, 60000U}) {
    fcgi::GetValuesResult result;
    result.add("NAME", pattern(size));
    std::string out;
    result.append_to(out);
    CHECK(parse(out) == std::vector<Record>{{kGetValuesResult, 0, pair("NAME", pattern(size))}});
  }
}

TEST_CASE("F19: nothing known is an empty GET_VALUES_RESULT", "[fcgi]") {
  std::string out;
  fcgi::GetValuesResult().append_to(out);
  CHECK(parse(out) == std::vector<Record>{{kGetValuesResult, 0, ""}});
}

TEST_CASE("F19: a GET_VALUES_RESULT never outgrows its record", "[fcgi]") {
  fcgi::GetValuesResult result;
  for (int n = 0; n < 5000; ++n) result.add("FCGI_MAX_CONNS", "10000");
  std::string out;
  result.append_to(out);
  const std::vector<Record> records = parse(out);
  REQUIRE(records.size() == 1);
  const std::size_t one = pair("FCGI_MAX_CONNS", "10000").size();
  CHECK(records[0].content.size() == 65528 / one * one);
}

TEST_CASE("F20: UNKNOWN_TYPE names the type, with 7 zero bytes", "[fcgi]") {
  std::string out;
  fcgi::append_unknown_type(out, 200);
  CHECK(parse(out) == std::vector<Record>{{kUnknownType, 0, byte(200) + std::string(7, '\0')}});
}

TEST_CASE("W13: the mark of a cut response is an UNKNOWN_TYPE record without content", "[fcgi]") {
  std::string out;
  fcgi::append_cut(out);
  CHECK(parse(out) == std::vector<Record>{{kUnknownType, 0, ""}});
}

TEST_CASE("F24: END_REQUEST can say that the connection is not multiplexed", "[fcgi]") {
  std::string out;
  fcgi::append_end_request(out, 2, 0, fcgi::EndStatus::cant_mpx_conn);
  CHECK(parse(out) ==
        std::vector<Record>{{kEnd, 2, std::string(4, '\0') + "\x01" + std::string(3, '\0')}});
}

TEST_CASE("F26: END_REQUEST holds status of application and protocol", "[fcgi]") {
  std::string out;
  fcgi::append_end_request(out, 2, 0x01020304, fcgi::EndStatus::unknown_role);
  fcgi::append_end_request(out, 3, 0xfffefdfc, fcgi::EndStatus::overloaded);
  fcgi::append_end(out, 4, 5);
  const std::string zeros(3, '\0');
  CHECK(parse(out) ==
        std::vector<Record>{{kEnd, 2, "\x01\x02\x03\x04\x03" + zeros},
                            {kEnd, 3, "\xff\xfe\xfd\xfc\x02" + zeros},
                            {kStdout, 4, ""},
                            {kEnd, 4, zeros + "\x05" + std::string(1, '\0') + zeros}});
}

TEST_CASE("encoder: appends to what is there", "[fcgi]") {
  std::string out;
  fcgi::append_stdout(out, 1, "one");
  fcgi::append_stdout(out, 2, "two");
  fcgi::append_end(out, 1);
  const std::vector<Record> records = parse(out);
  REQUIRE(records.size() == 4);
  CHECK(records[0] == Record{kStdout, 1, "one"});
  CHECK(records[1] == Record{kStdout, 2, "two"});
}
