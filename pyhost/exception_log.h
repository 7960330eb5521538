// Tracebacks of the application, in the log and nowhere else.
#pragma once

#include "pyhost/log_lines.h"
#include "pyhost/module_state.h"

#include <string_view>

namespace pyhost {

// Takes the pending exception and logs `heading` and then its traceback, line by line. Releases the
// GIL meanwhile. Exceptions of every kind end here: SystemExit doesn't end a worker.
void log_exception(const ModuleState& state, std::string_view heading);

}  // namespace pyhost
