// The one line about a worker's end, see worker_end.h.
#include "daemon/gateway/worker_end.h"

#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pycgid {
namespace {

// Between the parts of the text; none of them has a line feed, as they are parts of one line.
constexpr char kSeparator = '\n';

constexpr std::size_t kMostOfWhat = 3000;

std::string_view next_part(std::string_view& text) {
  const std::size_t end = std::min(text.find(kSeparator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

}  // namespace

std::string end_text(LogLevel level, std::string_view object, std::string_view what,
                     std::string_view then) {
  constexpr std::string_view kLine = "\n";
  // A message has 4 KiB; what an application's error says may be as long.
  return concat(static_cast<int>(level), kLine, object, kLine, what.substr(0, kMostOfWhat), kLine,
                then);
}

void log_end(const Message& message, const Losses& losses) {
  std::string_view text = message.text;
  const std::string_view level_text = next_part(text);
  const std::string_view object = next_part(text);
  const std::string_view what = next_part(text);
  const std::string running = losses.text.empty() ? "" : concat(", running ", losses.text);
  if (object.empty()) return;
  // Requests that are lost are worth an error, however the worker was meant to end.
  auto level = LogLevel::error;
  if (losses.lost == 0 && !level_text.empty()) level = static_cast<LogLevel>(level_text[0] - '0');
  log_line(level, object, concat(what, running, text));
}

}  // namespace pycgid
