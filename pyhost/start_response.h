// The start_response that an application is given, and the write() that it returns (PEP 3333).
#pragma once

#include "pyhost/module_state.h"

namespace pyhost {

class Response;

extern PyType_Spec start_response_spec;

// `response` must live until close_start_response().
PyRef make_start_response(const ModuleState& state, Response& response);
// The request is over: an application that kept start_response or write() gets AssertionError.
void close_start_response(PyObject* start_response);

}  // namespace pyhost
