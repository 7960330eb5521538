#include "pyhost/exception_log.h"

#include "pyhost/gil.h"
#include "pyhost/short_text.h"

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

void log_untold(std::string_view heading, PyObject* exception, PyObject* other) {
  ShortText message(heading);
  message.append("\n").append(Py_TYPE(exception)->tp_name);
  message.append(" (its traceback cannot be shown");
  if (other != nullptr) message.append(": ").append(Py_TYPE(other)->tp_name);
  message.append(")");
  const Detach detach;
  log_text(LogLevel::error, message);
}

}  // namespace

void log_exception(const ModuleState& state, std::string_view heading) {
  const auto exception = PyRef::steal(py::take_exception());
  if (!exception) return;
  const PyRef text = format(state, exception.get());
  // What it raises when it is asked for its text is part of what went wrong.
  const auto other = PyRef::steal(text ? nullptr : py::take_exception());
  if (!text) return log_untold(heading, exception.get(), other.get());
  const auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(text.get()));
  const std::string_view lines(PyBytes_AS_STRING(text.get()), size);
  const Detach detach;
  log_text(LogLevel::error, heading);
  log_text(LogLevel::error, lines);
}

}  // namespace pyhost
