// Option "debug-params", see debug_params.h.
#include "daemon/gateway/debug_params.h"

#include "daemon/log.h"
#include "daemon/text.h"
#include "pyhost/params.h"

#include <algorithm>
#include <string>

namespace pycgid {
namespace {

constexpr std::size_t kShownBytes = 1024;

// Under whatever name a front passes them, REDIRECT_HTTP_AUTHORIZATION for instance.
bool is_credential(std::string_view name) {
  constexpr std::string_view kEnds[] = {"AUTHORIZATION", "COOKIE"};
  return std::ranges::any_of(kEnds, [name](std::string_view end) { return name.ends_with(end); });
}

std::string shown(std::string_view name, std::string_view value) {
  if (is_credential(name)) return concat("(not shown, ", value.size(), " bytes)");
  if (value.size() <= kShownBytes) return std::string(value);
  return concat(value.substr(0, kShownBytes), "... (", value.size(), " bytes)");
}

void log_variable(const DebuggedRequest& request, std::string_view what, std::string_view name,
                  std::string_view value) {
  log_record(
      {.level = LogLevel::notice,
       .object = request.pool,
       .request_id = request.id,
       .text = concat("request ", request.id, ": ", what, " ", name, "=", shown(name, value)),
       .names_request = true});
}

}  // namespace

void log_sent_variable(const DebuggedRequest& request, std::string_view name,
                       std::string_view value) {
  log_variable(request, "the front sent", name, value);
}

void log_received_variables(const DebuggedRequest& request, std::string_view params) {
  pyhost::ParamsReader reader(params);
  std::string_view name;
  std::string_view value;
  while (reader.next(name, value)) log_variable(request, "the application got", name, value);
}

}  // namespace pycgid
