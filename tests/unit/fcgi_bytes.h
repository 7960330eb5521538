// The bytes that a web server sends over FastCGI, for tests to put together:
// `begin(1) + params(1, {{"A", "b"}}) + params_end(1)`. Written from the specification, without the
// encoder, so that one cannot hide the other's mistakes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fcgi_test {

using Pairs = std::vector<std::pair<std::string, std::string>>;

enum Type : std::uint8_t {
  kBegin = 1,
  kAbort = 2,
  kEnd = 3,
  kParams = 4,
  kStdin = 5,
  kStdout = 6,
  kStderr = 7,
  kData = 8,
  kGetValues = 9,
  kGetValuesResult = 10,
  kUnknownType = 11
};

inline std::string byte(std::size_t value) {
  return std::string(1, static_cast<char>(value));
}

inline std::string number16(std::size_t value) {
  return byte(value >> 8) + byte(value);
}

// `content` is at most 65535 bytes, `padding` at most 255. Reserved and padding bytes are not zero,
// since no decoder may care.
inline std::string record(std::uint8_t type, std::uint16_t id, std::string_view content,
                          std::size_t padding = 0) {
  return byte(1) + byte(type) + number16(id) + number16(content.size()) + byte(padding) +
         byte(0xee) + std::string(content) + std::string(padding, '\xdd');
}

inline std::string begin(std::uint16_t id, std::uint16_t role = 1, std::uint8_t flags = 0) {
  return record(kBegin, id, number16(role) + byte(flags) + "\xaa\xbb\xcc\xdd\xee");
}

inline std::string long_length(std::size_t value) {
  return byte(0x80 | value >> 24) + byte(value >> 16) + number16(value);
}

inline std::string length(std::size_t value) {
  return value < 128 ? byte(value) : long_length(value);
}

inline std::string pair(std::string_view name, std::string_view value) {
  return length(name.size()) + length(value.size()) + std::string(name) + std::string(value);
}

inline std::string pairs(const Pairs& all) {
  std::string bytes;
  for (const auto& [name, value] : all) bytes += pair(name, value);
  return bytes;
}

inline std::string params(std::uint16_t id, const Pairs& all) {
  return record(kParams, id, pairs(all));
}
inline std::string params_end(std::uint16_t id) {
  return record(kParams, id, "");
}

inline std::string body(std::uint16_t id, std::string_view bytes) {
  return record(kStdin, id, bytes);
}
inline std::string body_end(std::uint16_t id) {
  return record(kStdin, id, "");
}

inline std::string data(std::uint16_t id, std::string_view bytes) {
  return record(kData, id, bytes);
}
inline std::string data_end(std::uint16_t id) {
  return record(kData, id, "");
}

inline std::string abort_request(std::uint16_t id) {
  return record(kAbort, id, "");
}

inline std::string get_values(const std::vector<std::string>& names) {
  std::string content;
  for (const std::string& name : names) content += pair(name, "");
  return record(kGetValues, 0, content);
}

}  // namespace fcgi_test
