// wsgi.file_wrapper (PEP 3333): iterates over a file-like object, and lets the gateway send a real
// file by itself.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/module_state.h"

#include <optional>

namespace pyhost {

extern PyType_Spec file_wrapper_spec;

struct SendableFile {
  int fd = -1;  // the application's
  FileRange range;
};

// What the gateway can send of `iterable`: from the current position to the end, when it is a
// file_wrapper, not wrapped by any middleware, over a regular file that is read as it stands.
// Nothing with an exception set when the application's code raised one that is not to be ignored.
std::optional<SendableFile> sendable_file(const ModuleState& state, PyObject* iterable);

}  // namespace pyhost
