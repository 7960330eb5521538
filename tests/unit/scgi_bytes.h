// The bytes that a web server sends over SCGI, for tests to put together:
// `request({{"CONTENT_LENGTH", "2"}, {"SCGI", "1"}}) + "xy"`.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace scgi_test {

using Variables = std::vector<std::pair<std::string, std::string>>;

inline std::string netstring(std::string_view content) {
  return std::to_string(content.size()) + ":" + std::string(content) + ",";
}

inline std::string variables(const Variables& all) {
  std::string bytes;
  for (const auto& [name, value] : all) bytes += name + '\0' + value + '\0';
  return bytes;
}

inline std::string request(const Variables& all) {
  return netstring(variables(all));
}

}  // namespace scgi_test
