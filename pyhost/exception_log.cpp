#include "pyhost/exception_log.h"

#include "pyhost/gil.h"

#include <string>

namespace pyhost {
namespace {

// Text of any kind: what UTF-8 cannot say (lone surrogates) is written as \uXXXX.
PyRef printable(PyObject* text) {
  return PyRef::steal(PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"));
}

// The lines of the traceback as bytes, or an empty reference and an exception of its own.
PyRef format(const ModuleState& state, PyObject* exception) {
  const auto lines = PyRef::steal(PyObject_CallOneArg(state.format_exception, exception));
  if (!lines) return {};
  const auto nothing = PyRef::steal(PyUnicode_New(0, 0));
  if (!nothing) return {};
  const auto text = PyRef::steal(PyUnicode_Join(nothing.get(), lines.get()));
  if (!text) return {};
  return printable(text.get());
}

}  // namespace

void log_exception(const ModuleState& state, std::string_view heading) {
  const auto exception = PyRef::steal(py::take_exception());
  if (!exception) return;
  std::string message(heading);
  message += '\n';
  if (const PyRef text = format(state, exception.get())) {
    message.append(PyBytes_AS_STRING(text.get()),
                   static_cast<std::size_t>(PyBytes_GET_SIZE(text.get())));
  } else {
    // What it raises when it is asked for its text is part of what went wrong.
    const auto other = PyRef::steal(py::take_exception());
    message.append(Py_TYPE(exception.get())->tp_name).append(" (its traceback cannot be shown");
    message.append(other ? ": " : "")
        .append(other ? Py_TYPE(other.get())->tp_name : "")
        .append(")");
  }
  const Detach detach;
  log_text(LogLevel::error, message);
}

}  // namespace pyhost
