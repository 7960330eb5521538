// Option "debug-params": what the front server sent and what the application got, one log line a
// variable. Values of credentials are not shown. The gateway's thread.
#pragma once

#include <string_view>

namespace pycgid {

// Whose variables they are.
struct DebuggedRequest {
  std::string_view pool;
  std::string_view id;
};

// As it arrived.
void log_sent_variable(const DebuggedRequest& request, std::string_view name,
                       std::string_view value);
// As ParamsWriter wrote them for the worker.
void log_received_variables(const DebuggedRequest& request, std::string_view params);

}  // namespace pycgid
