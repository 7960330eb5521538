// wsgi.input (PEP 3333): a heap type over a Body, with read, readline, readlines and iteration.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/module_state.h"

#include <cstdint>

namespace pyhost {

extern PyType_Spec input_spec;

// wsgi.input of one request. Receives the body's descriptor when there is one.
PyRef make_input(const ModuleState& state, WorkerEnd& worker, const TakenRequest& request);

// pycgid.data of a Filter: what stands behind the first `at` bytes of the body that `input` has,
// which keeps those.
PyRef make_filter_data(const ModuleState& state, PyObject* input, std::uint64_t at);

// The request is over: reads fail from now on. Waits, without the GIL, for a thread of the
// application that still reads.
void close_input(PyObject* input);

}  // namespace pyhost
