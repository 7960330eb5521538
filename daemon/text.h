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

// The whole lines at the front of `text` that a pipe takes in one piece (PIPE_BUF), so that no
// other writer's come between. A line that is longer than that stands alone; all of what has no
// end.
std::string_view lines_for_pipe(std::string_view text);

// "250ms", "1.5s", "42s", "3m20s", "2h5m", "3d4h": two units at most, rounded down.
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace pycgid
