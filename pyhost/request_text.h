// A request's own words, for log lines. No Python.
#pragma once

#include "pyhost/short_text.h"

#include <string_view>

namespace pyhost {

// The value of a variable in `params` (params.h), or an empty view.
std::string_view find_param(std::string_view params, std::string_view name);

// "GET /path?query", with control characters as a URI has them (%0A), so that nothing from outside
// begins a line of its own; a long one is cut, so that a thousand bytes can follow.
ShortText describe_request(std::string_view params);

}  // namespace pyhost
