// Building blocks of messages to the administrator. Pure; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <type_traits>

namespace pycgid {

// The parts one behind the other; numbers in decimal.
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::string result;
  const auto append = [&result](const auto& part) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(part)>>) {
      result += std::to_string(part);
    } else {
      result += std::string_view(part);
    }
  };
  (append(parts), ...);
  return result;
}

// "value", in double quotes.
std::string in_quotes(std::string_view value);

// The system's words for an errno: "Permission denied".
std::string reason(int error);

// "250ms", "1.5s", "42s", "3m20s", "2h5m", "3d4h": two units at most, rounded down.
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace pycgid
