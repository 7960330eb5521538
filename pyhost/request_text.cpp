#include "pyhost/request_text.h"

#include "pyhost/params.h"

#include <array>

namespace pyhost {
namespace {

// The rest of the room is for what is said of the request.
constexpr std::size_t kMostText = ShortText::kRoom - 1100;

void append_escaped(ShortText& text, std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : bytes) {
    if (text.view().size() >= kMostText) return;
    const auto byte = static_cast<unsigned char>(c);
    const std::array<char, 3> hex{'%', kHex[byte >> 4], kHex[byte & 15]};
    const bool plain = byte >= 0x20 && byte != 0x7F;
    text.append(plain ? std::string_view(&c, 1) : std::string_view(hex.data(), hex.size()));
  }
}

}  // namespace

std::string_view find_param(std::string_view params, std::string_view name) {
  ParamsReader reader(params);
  std::string_view key;
  std::string_view value;
  while (reader.next(key, value)) {
    if (key == name) return value;
  }
  return {};
}

ShortText describe_request(std::string_view params) {
  constexpr std::size_t kMost = 2048;
  constexpr std::size_t kMostMethod = 256;
  ShortText text;
  append_escaped(text, find_param(params, "REQUEST_METHOD").substr(0, kMostMethod));
  std::string_view path = find_param(params, "REQUEST_URI");
  text.append(" ");
  if (path.empty()) {
    append_escaped(text, find_param(params, "SCRIPT_NAME").substr(0, kMost));
    path = find_param(params, "PATH_INFO");
  }
  append_escaped(text, path.substr(0, kMost));
  if (path.size() > kMost || text.view().size() >= kMostText) text.append("...");
  return text;
}

}  // namespace pyhost
