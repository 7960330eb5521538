// A Python reference with one owner. A raw PyObject* elsewhere in pyhost is borrowed.
#pragma once

#include "pyhost/internal/py.h"

#include <cassert>
#include <utility>

namespace pyhost {

class PyRef {
 public:
  // Takes over a new reference; nullptr gives an empty PyRef, with the exception still set.
  static PyRef steal(PyObject* object) { return PyRef(object); }
  // Takes a reference of its own.
  static PyRef borrow(PyObject* object) { return PyRef(Py_XNewRef(object)); }

  PyRef() = default;
  PyRef(PyRef&& other) noexcept : object_(other.release()) {}
  PyRef& operator=(PyRef&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  PyRef(const PyRef&) = delete;
  PyRef& operator=(const PyRef&) = delete;
  ~PyRef() { reset(); }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  // Only into functions that steal, and into return values.
  [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }

  // The reference is given up last: what its destructor runs may come back here.
  void reset(PyObject* object = nullptr) {
    assert(object_ == nullptr || PyGILState_Check());
    PyObject* old = std::exchange(object_, object);
    Py_XDECREF(old);
  }

 private:
  explicit PyRef(PyObject* object) : object_(object) {}
  PyObject* object_ = nullptr;
};

}  // namespace pyhost
