// Exceptions that pyhost raises, and those that it drops: the one place where one is cleared.
#pragma once

#include "pyhost/module_state.h"

#include <cstdint>

namespace pyhost {

// Drops the pending exception, if there is one, when `except Exception` would catch it. False: it
// is still there, and the caller must let it through. It is a SystemExit, KeyboardInterrupt or
// RequestTimeout, which may come out of any code of the application: nothing may swallow them.
bool forgive();

// Takes the pending exception when it is of this class.
bool take_if(PyObject* type);

// Sets pycgid.ClientGone: nobody wants the answer any more. Attached, on the application's behalf.
// From now on the request in `slot`, if this thread runs it, is not interrupted by a
// RequestTimeout.
void raise_client_gone(const ModuleState& state, std::uint32_t slot, const char* text);

// The status of a process that ends by the pending exception, as Python would have it; takes the
// exception. What is not of SystemExit is left to the caller: -1.
int take_exit_status();

}  // namespace pyhost
