// Building blocks of messages, see text.h.
#include "daemon/text.h"

#include <climits>
#include <cstdint>
#include <system_error>

namespace pycgid {
namespace {

// "3m20s", or "3m" when nothing is left over.
std::string two_units(std::int64_t big, char big_unit, std::int64_t small, char small_unit) {
  std::string text = std::to_string(big) + big_unit;
  if (small != 0) text += std::to_string(small) + small_unit;
  return text;
}

}  // namespace

std::string in_quotes(std::string_view value) {
  return concat("\"", value, "\"");
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::string_view lines_for_pipe(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text;
  std::size_t end = text.rfind('\n', PIPE_BUF - 1);
  if (end == std::string_view::npos) end = text.find('\n', PIPE_BUF);
  return text.substr(0, end == std::string_view::npos ? end : end + 1);
}

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t ms = duration.count();
  if (ms < 1000) return std::to_string(ms) + "ms";
  const std::int64_t tenths = ms % 1000 / 100;
  if (ms < 10'000 && tenths != 0) return concat(ms / 1000, ".", tenths, "s");
  const std::int64_t seconds = ms / 1000;
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return two_units(seconds / 60, 'm', seconds % 60, 's');
  if (seconds < 86'400) return two_units(seconds / 3600, 'h', seconds % 3600 / 60, 'm');
  return two_units(seconds / 86'400, 'd', seconds % 86'400 / 3600, 'h');
}

}  // namespace pycgid
