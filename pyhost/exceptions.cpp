#include "pyhost/exceptions.h"

#include "pyhost/running_request.h"

namespace pyhost {

bool forgive() {
  PyObject* pending = PyErr_Occurred();
  if (pending == nullptr) return true;
  if (!PyErr_GivenExceptionMatches(pending, PyExc_Exception)) return false;
  PyErr_Clear();
  return true;
}

bool take_if(PyObject* type) {
  if (PyErr_Occurred() == nullptr || !PyErr_ExceptionMatches(type)) return false;
  PyErr_Clear();
  return true;
}

void raise_client_gone(const ModuleState& state, std::uint32_t slot, const char* text) {
  RunningRequest::note_cut_on_this_thread(slot);
  PyErr_SetString(state.client_gone, text);
}

// sys.exit(): no argument or None is success, a number the status, anything else a text for
// standard error and failure.
int take_exit_status() {
  if (PyErr_Occurred() == nullptr) return 0;
  if (!PyErr_ExceptionMatches(PyExc_SystemExit)) return -1;
  const auto exception = PyRef::steal(py::take_exception());
  const auto code = PyRef::steal(PyObject_GetAttrString(exception.get(), "code"));
  if (!code) return forgive() ? 1 : -1;
  if (Py_IsNone(code.get())) return 0;
  if (PyLong_Check(code.get())) {
    const long status = PyLong_AsLong(code.get());
    return PyErr_Occurred() && forgive() ? 255 : static_cast<int>(status & 0xff);
  }
  PySys_FormatStderr("%S\n", code.get());
  return 1;
}

}  // namespace pyhost
