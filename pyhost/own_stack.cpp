#include "pyhost/own_stack.h"

#include "pyhost/exceptions.h"

#include <utility>

namespace pyhost {
namespace {

PyRef outermost(PyRef frame) {
  while (frame && PyFrame_Check(frame.get())) {
    auto* raw = reinterpret_cast<PyFrameObject*>(frame.get());
    auto back = PyRef::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(raw)));
    if (!back) break;
    frame = std::move(back);
  }
  return frame;
}

// sys._current_frames()[python_id]; empty, without an exception, if there is none.
PyRef current_frame(unsigned long python_id) {
  PyObject* const function = PySys_GetObject("_current_frames");
  const auto frames = PyRef::steal(function == nullptr ? nullptr : PyObject_CallNoArgs(function));
  const auto id = PyRef::steal(frames ? PyLong_FromUnsignedLong(python_id) : nullptr);
  PyObject* const frame = id ? PyDict_GetItemWithError(frames.get(), id.get()) : nullptr;
  if (frame == nullptr) forgive();
  return PyRef::borrow(frame);
}

bool has_greenlets() {
  PyObject* const modules = PyImport_GetModuleDict();
  return modules != nullptr && PyDict_GetItemString(modules, "greenlet") != nullptr;
}

}  // namespace

OwnStack::OwnStack()
    : base_(outermost(PyRef::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame())))) {}

bool OwnStack::is_current(unsigned long python_id) const {
  if (!base_ || !has_greenlets()) return true;
  const PyRef now = outermost(current_frame(python_id));
  return !now || now.get() == base_.get();
}

}  // namespace pyhost
