// The start_response that an application is given, and the write() that it returns (PEP 3333).
#pragma once

#include "pyhost/module_state.h"

namespace pyhost {

class Response;

extern PyType_Spec start_response_spec;

// For the request that `response` has begun, which outlives all applications. When that request is
// over, whoever kept start_response or write() gets RuntimeError.
PyRef make_start_response(const ModuleState& state, Response& response);

}  // namespace pyhost
