#include "pyhost/request_text.h"

#include "pyhost/log_lines.h"
#include "pyhost/params.h"

namespace pyhost {

std::string_view find_param(std::string_view params, std::string_view name) {
  ParamsReader reader(params);
  std::string_view key;
  std::string_view value;
  while (reader.next(key, value)) {
    if (key == name) return value;
  }
  return {};
}

// Not longer than a log line should be, and than what there is always memory for.
std::string describe_request(std::string_view params) {
  constexpr std::size_t kMost = 2048;
  std::string text(find_param(params, "REQUEST_METHOD").substr(0, kMost));
  std::string_view path = find_param(params, "REQUEST_URI");
  text += ' ';
  if (path.empty()) {
    text += find_param(params, "SCRIPT_NAME").substr(0, kMost);
    path = find_param(params, "PATH_INFO");
  }
  text += path.substr(0, kMost);
  if (path.size() > kMost) text += "...";
  return escaped(text);
}

}  // namespace pyhost
