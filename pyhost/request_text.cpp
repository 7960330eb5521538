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

std::string describe_request(std::string_view params) {
  std::string text(find_param(params, "REQUEST_METHOD"));
  const std::string_view uri = find_param(params, "REQUEST_URI");
  text.append(" ").append(uri);
  if (uri.empty()) {
    text.append(find_param(params, "SCRIPT_NAME")).append(find_param(params, "PATH_INFO"));
  }
  return escaped(text);
}

}  // namespace pyhost
