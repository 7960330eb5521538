// Filling a CgiRequest and reading back what the worker gets, for the tests of its two halves.
#pragma once

#include "daemon/gateway/cgi_request.h"
#include "pyhost/params.h"
#include "tests/unit/catch.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using Variables = std::vector<std::pair<std::string, std::string>>;

inline std::optional<pycgid::Refusal> fill(pycgid::CgiRequest& request, const Variables& variables,
                                           const pycgid::RequestRules& rules = {}) {
  if (request.get("REQUEST_METHOD").empty()) request.add("REQUEST_METHOD", "GET");
  for (const auto& [name, value] : variables) request.add(name, value);
  return request.finish(rules);
}

// What write() hands to the worker.
inline Variables written(const pycgid::CgiRequest& request) {
  std::vector<char> area(64 * 1024);
  pyhost::ParamsWriter writer(area);
  REQUIRE(request.write(writer));
  Variables result;
  std::string_view name;
  std::string_view value;
  pyhost::ParamsReader reader({area.data(), writer.bytes()});
  while (reader.next(name, value)) result.emplace_back(name, value);
  return result;
}

inline bool has(const Variables& variables, std::string_view name) {
  for (const auto& variable : variables) {
    if (variable.first == name) return true;
  }
  return false;
}
