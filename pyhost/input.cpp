#include "pyhost/input.h"

#include "pyhost/body.h"
#include "pyhost/exceptions.h"
#include "pyhost/gil.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <optional>

namespace pyhost {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMaxBytes = std::size_t{PY_SSIZE_T_MAX} / 2;

struct InputObject {
  PyObject_HEAD Body body;
};

Body& body_of(PyObject* self) {
  return reinterpret_cast<InputObject*>(self)->body;
}

const ModuleState& state_of(PyObject* self) {
  return *static_cast<ModuleState*>(PyType_GetModuleState(Py_TYPE(self)));
}

// The size argument that all reading methods share: absent, None and negative mean "no limit".
std::optional<std::size_t> parse_limit(PyObject* const* args, Py_ssize_t count) {
  if (count > 1) {
    PyErr_Format(PyExc_TypeError, "expected at most 1 argument, got %zd", count);
    return std::nullopt;
  }
  if (count == 0 || Py_IsNone(args[0])) return kNoLimit;
  const Py_ssize_t size = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
  if (size == -1 && PyErr_Occurred()) return std::nullopt;
  return size < 0 ? kNoLimit : static_cast<std::size_t>(size);
}

// False, with an exception set, where reading cannot go on.
bool check(PyObject* self, Body::Got got) {
  if (got == Body::Got::broken) {
    raise_client_gone(state_of(self), body_of(self).slot(),
                      "the request's body ended before it was whole");
  } else if (got == Body::Got::unreadable) {
    errno = body_of(self).error();
    PyErr_SetFromErrno(PyExc_OSError);
  } else if (got == Body::Got::no_memory) {
    PyErr_NoMemory();
  } else if (got == Body::Got::closed) {
    PyErr_SetString(
        PyExc_ValueError,
        "I/O operation on closed file: wsgi.input was read after the end of its request");
  }
  return got == Body::Got::bytes || got == Body::Got::end;
}

PyObject* fail_in_fork() {
  PyErr_SetString(PyExc_ValueError,
                  "I/O operation on closed file: wsgi.input can be read by the worker only, not by "
                  "the process that was forked");
  return nullptr;
}

using Step = PyRef (*)(Body& body, std::size_t limit, Body::Got& got);

// The mutex may be held for ever, by a thread that the fork does not have.
PyObject* read_in_fork(PyObject* self, Step step, std::size_t limit) {
  Body& body = body_of(self);
  if (!body.readable_in_fork() || !body.mutex().try_lock()) return fail_in_fork();
  Body::Got got = Body::Got::bytes;
  PyRef result = step(body, limit, got);
  body.mutex().unlock();
  if (!check(self, got)) return nullptr;
  return body.is_current() ? result.release() : fail_in_fork();
}

// One step with the body to itself, which makes nothing but bytes there: what an exception drags
// along may be the application's, and call again.
PyObject* read_alone(PyObject* self, Step step, std::size_t limit) {
  Body& body = body_of(self);
  if (body.forked()) return read_in_fork(self, step, limit);
  Body::Got got = Body::Got::bytes;
  PyRef result;
  {
    const AttachedLock lock(body.mutex());
    result = step(body, limit, got);
  }
  return check(self, got) ? result.release() : nullptr;
}

// Bytes from the front of the window.
PyRef take(Body& body, std::size_t size) {
  const std::string_view bytes = body.window().substr(0, size);
  auto result =
      PyRef::steal(PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
  if (result) body.consume(bytes.size());
  return result;
}

bool resize(PyRef& bytes, std::size_t size) {
  PyObject* raw = bytes.release();
  _PyBytes_Resize(&raw, static_cast<Py_ssize_t>(size));
  bytes = PyRef::steal(raw);
  return static_cast<bool>(bytes);
}

// Reads on behind the window until there are `limit` bytes or the body ends.
PyRef gather(Body& body, std::size_t limit, Body::Got& got) {
  // One byte more than is expected, so that the end is seen without making room for it.
  std::size_t room = static_cast<std::size_t>(
      std::min<std::uint64_t>({limit, body.window().size() + body.expected() + 1, kMaxBytes}));
  auto result = PyRef::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(room)));
  if (!result) return {};
  std::size_t size = body.window().copy(PyBytes_AS_STRING(result.get()), room);
  body.consume(size);
  while (got == Body::Got::bytes && size < limit) {
    if (size == room) {
      room = std::min({limit, 2 * room, kMaxBytes});
      if (!resize(result, room)) return {};
    }
    std::size_t count = 0;
    {
      char* const start = PyBytes_AS_STRING(result.get());
      const Detach detach;
      got = body.read({start + size, room - size}, count);
    }
    size += count;
  }
  const bool whole = got == Body::Got::bytes || got == Body::Got::end;
  if (!whole || !resize(result, size)) return {};
  return result;
}

PyRef take_bytes(Body& body, std::size_t limit, Body::Got& got) {
  if (body.closed()) {
    got = Body::Got::closed;
    return {};
  }
  if (body.window().size() >= limit || !body.may_grow()) return take(body, limit);
  return gather(body, limit, got);
}

// One line, with its newline, of at most `limit` bytes; empty at the end of the body.
PyRef take_line(Body& body, std::size_t limit, Body::Got& got) {
  std::size_t searched = 0;
  for (;;) {
    const std::string_view window = body.window().substr(0, limit);
    const std::size_t newline = window.find('\n', searched);
    if (newline != std::string_view::npos) return take(body, newline + 1);
    if (window.size() == limit) return take(body, limit);
    searched = window.size();
    if (!body.may_grow() && !body.closed()) return take(body, searched);
    {
      const Detach detach;
      got = body.fill();
    }
    if (got == Body::Got::end) return take(body, searched);
    if (got != Body::Got::bytes) return {};
  }
}

// What is at hand, or else what comes first; empty at the end of the body.
PyRef take_some(Body& body, std::size_t limit, Body::Got& got) {
  if (body.closed()) {
    got = Body::Got::closed;
    return {};
  }
  if (limit > 0 && body.window().empty() && body.may_grow()) {
    const Detach detach;
    got = body.fill();
  }
  return got == Body::Got::bytes || got == Body::Got::end ? take(body, limit) : PyRef();
}

// A body that is still coming is waited for only until there is something.
PyRef take_for_buffer(Body& body, std::size_t limit, Body::Got& got) {
  return body.is_live() ? take_some(body, limit, got) : take_bytes(body, limit, got);
}

PyObject* fill_buffer(PyObject* self, PyObject* object, Step step) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(object, &buffer, PyBUF_WRITABLE) < 0) return nullptr;
  const auto bytes = PyRef::steal(read_alone(self, step, static_cast<std::size_t>(buffer.len)));
  Py_ssize_t size = 0;
  if (bytes) {
    size = PyBytes_GET_SIZE(bytes.get());
    std::memcpy(buffer.buf, PyBytes_AS_STRING(bytes.get()), static_cast<std::size_t>(size));
  }
  PyBuffer_Release(&buffer);
  return bytes ? PyLong_FromSsize_t(size) : nullptr;
}

PyObject* readinto(PyObject* self, PyObject* buffer) {
  return fill_buffer(self, buffer, take_for_buffer);
}

PyObject* readinto1(PyObject* self, PyObject* buffer) {
  return fill_buffer(self, buffer, take_some);
}

PyObject* read1(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  const auto limit = parse_limit(args, count);
  return limit ? read_alone(self, take_some, *limit) : nullptr;
}

PyObject* read(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  const auto limit = parse_limit(args, count);
  return limit ? read_alone(self, take_bytes, *limit) : nullptr;
}

PyObject* readline(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  const auto limit = parse_limit(args, count);
  return limit ? read_alone(self, take_line, *limit) : nullptr;
}

// Whole lines, until they have `hint` bytes between them; a hint of 0 or less counts as none, as
// in io.IOBase.
PyObject* readlines(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  const auto hint = parse_limit(args, count);
  if (!hint) return nullptr;
  const std::size_t enough = *hint == 0 ? kNoLimit : *hint;
  auto lines = PyRef::steal(PyList_New(0));
  if (!lines) return nullptr;
  for (std::size_t size = 0; size < enough;) {
    const auto line = PyRef::steal(read_alone(self, take_line, kNoLimit));
    if (!line) return nullptr;
    if (PyBytes_GET_SIZE(line.get()) == 0) break;
    if (PyList_Append(lines.get(), line.get()) < 0) return nullptr;
    size += static_cast<std::size_t>(PyBytes_GET_SIZE(line.get()));
  }
  return lines.release();
}

// The end of an iteration is an empty reference without an exception.
PyObject* next_line(PyObject* self) {
  auto line = PyRef::steal(read_alone(self, take_line, kNoLimit));
  if (line && PyBytes_GET_SIZE(line.get()) == 0) return nullptr;
  return line.release();
}

PyObject* yes(PyObject*, PyObject*) {
  Py_RETURN_TRUE;
}

PyObject* no(PyObject*, PyObject*) {
  Py_RETURN_FALSE;
}

PyObject* nothing(PyObject*, PyObject*) {
  Py_RETURN_NONE;
}

PyObject* enter(PyObject* self, PyObject*) {
  return Py_NewRef(self);
}

PyObject* is_closed(PyObject* self, void*) {
  return PyBool_FromLong(body_of(self).closed());
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  body_of(self).~Body();
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"read", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(read)), METH_FASTCALL,
     "read(size=-1, /) -> bytes: `size` bytes, fewer only at the end of the body"},
    {"readline", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(readline)),
     METH_FASTCALL, "readline(size=-1, /) -> bytes"},
    {"read1", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(read1)), METH_FASTCALL,
     "read1(size=-1, /) -> bytes: what has come, at least one byte unless at the end"},
    {"readinto", readinto, METH_O,
     "readinto(buffer, /) -> int: fills it, except with a body that is still coming"},
    {"readinto1", readinto1, METH_O, "readinto1(buffer, /) -> int"},
    {"readlines", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(readlines)),
     METH_FASTCALL, "readlines(hint=-1, /) -> list of bytes"},
    {"readable", yes, METH_NOARGS, "readable() -> True"},
    {"writable", no, METH_NOARGS, "writable() -> False"},
    {"seekable", no, METH_NOARGS, "seekable() -> False"},
    {"isatty", no, METH_NOARGS, "isatty() -> False"},
    {"flush", nothing, METH_NOARGS, "flush(): does nothing"},
    // What wraps the body and is dropped closes it; others read on.
    {"close", nothing, METH_NOARGS, "close(): does nothing; the end of the request closes it"},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", nothing, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {{"closed", is_closed, nullptr, "whether its request is over", nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
                       {Py_tp_iternext, reinterpret_cast<void*>(next_line)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, properties},
                       {0, nullptr}};

}  // namespace

PyType_Spec input_spec = {
    "pycgid_host.Input", sizeof(InputObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

PyRef make_input(const ModuleState& state, WorkerEnd& worker, const TakenRequest& request) {
  auto* object = PyObject_New(InputObject, state.input_type);
  if (object == nullptr) return {};
  new (&object->body) Body(worker, request);
  return PyRef::steal(reinterpret_cast<PyObject*>(object));
}

PyRef make_filter_data(const ModuleState& state, PyObject* input, std::uint64_t at) {
  auto* object = PyObject_New(InputObject, state.input_type);
  if (object == nullptr) return {};
  new (&object->body) Body(body_of(input), at);
  return PyRef::steal(reinterpret_cast<PyObject*>(object));
}

void close_input(PyObject* input) {
  Body& body = body_of(input);
  const AttachedLock lock(body.mutex());
  body.close();
}

}  // namespace pyhost
