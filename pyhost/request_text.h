// A request's own words, for log lines. No Python.
#pragma once

#include <string>
#include <string_view>

namespace pyhost {

// The value of a variable in `params` (params.h), or an empty view.
std::string_view find_param(std::string_view params, std::string_view name);

// "GET /path?query", with control characters escaped; a long one is cut.
std::string describe_request(std::string_view params);

}  // namespace pyhost
