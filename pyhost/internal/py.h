// Python.h, and the few places where the CPython versions we build for (3.11 to 3.14, with and
// without a GIL) differ. No other file asks for PY_VERSION_HEX.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#error "pyhost needs Python 3.11 or later"
#endif

namespace pyhost::py {

// A new reference, or nullptr: with an exception set, or, when there is no such attribute, without.
inline PyObject* optional_attribute(PyObject* object, PyObject* name) {
  PyObject* found = nullptr;
#if PY_VERSION_HEX >= 0x030D0000
  PyObject_GetOptionalAttr(object, name, &found);
#else
  _PyObject_LookupAttr(object, name, &found);
#endif
  return found;
}

// A new reference; nullptr with IndexError when the list has become shorter meanwhile.
inline PyObject* list_item(PyObject* list, Py_ssize_t index) {
#if PY_VERSION_HEX >= 0x030D0000
  return PyList_GetItemRef(list, index);
#else
  return Py_XNewRef(PyList_GetItem(list, index));
#endif
}

// Takes the pending exception, with its traceback in it: a new reference.
inline PyObject* take_exception() {
#if PY_VERSION_HEX >= 0x030C0000
  return PyErr_GetRaisedException();
#else
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (value != nullptr && traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return value;
#endif
}

// Ends the module's slots: it may be loaded into sub-interpreters that have a GIL of their own, and
// into builds that have none.
#if PY_VERSION_HEX >= 0x030C0000
#define PYHOST_SLOT_INTERPRETERS \
  {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#else
#define PYHOST_SLOT_INTERPRETERS
#endif
#if PY_VERSION_HEX >= 0x030D0000
#define PYHOST_SLOT_GIL {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#else
#define PYHOST_SLOT_GIL
#endif

}  // namespace pyhost::py
