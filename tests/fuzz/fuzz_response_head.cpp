// libFuzzer target: the response head of a worker that may write anything. What passes the check is
// safe to hand to a front server, and how the head was cut into pieces makes no difference.
#include "daemon/gateway/response_head.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using pycgid::ResponseHead;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool append_cut(ResponseHead& head, std::string_view text) {
  // Any cut will do, if the same input has the same one.
  std::size_t seed = text.empty() ? 1 : static_cast<unsigned char>(text.back()) + text.size();
  while (!text.empty()) {
    seed = seed * 1103515245 + 12345;
    const std::size_t size = std::min(text.size(), (seed >> 16) % 24);
    if (!head.append(text.substr(0, size))) return false;
    text.remove_prefix(size);
  }
  return true;
}

// CR and LF come in pairs that end lines, none of which is empty but the last.
void check_lines(std::string_view text) {
  require(text.ends_with("\r\n\r\n"));
  require(text.find('\0') == text.npos);
  text.remove_suffix(2);
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    require(end != text.npos && end != 0);
    require(text.substr(0, end).find_first_of("\r\n") == text.npos);
    require(text.substr(0, end).find(':') != text.npos);
    text.remove_prefix(end + 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  ResponseHead whole;
  ResponseHead cut;
  require(whole.append(text) == append_cut(cut, text));
  if (size > ResponseHead::kMaxBytes) return 0;
  const std::string problem = whole.check();
  require(problem == cut.check());
  require(problem.size() < 200);
  require(whole.text() == cut.text());
  if (!problem.empty()) {
    require(whole.text() == text);
    return 0;
  }
  ResponseHead again;
  require(again.append(whole.text()) && again.check().empty());
  require(again.text() == whole.text() && again.dropped().empty());
  check_lines(whole.text());
  require(whole.status() >= 200 && whole.status() <= 999);
  require(whole.status() == cut.status());
  require(whole.content_length() == cut.content_length());
  require(whole.content_length().value_or(0) <= static_cast<std::uint64_t>(INT64_MAX));
  return 0;
}
