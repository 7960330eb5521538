#include "pyhost/start_response.h"

#include "pyhost/exceptions.h"
#include "pyhost/response.h"

#include <structmember.h>

#include <cstddef>

namespace pyhost {
namespace {

struct StartResponseObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  Response* response;  // null when the request is over
};

StartResponseObject* cast(PyObject* self) {
  return reinterpret_cast<StartResponseObject*>(self);
}

PyObject* fail(const char* text) {
  PyErr_SetString(PyExc_AssertionError, text);
  return nullptr;
}

Response* live_response(PyObject* self) {
  Response* response = cast(self)->response;
  if (response == nullptr)
    fail("start_response or write() was called after the end of its request");
  return response;
}

// The last argument, which callers may also name.
struct Arguments {
  PyObject* status = nullptr;
  PyObject* headers = nullptr;
  PyObject* exc_info = Py_None;
};

bool parse(PyObject* const* args, Py_ssize_t positional, PyObject* names, Arguments& result) {
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  const bool names_right =
      named == 0 ||
      (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "exc_info") == 0);
  const Py_ssize_t count = positional + named;
  if (positional < 2 || count > 3 || !names_right) {
    PyErr_SetString(PyExc_TypeError,
                    "start_response must be called as start_response(status, headers, "
                    "exc_info=None)");
    return false;
  }
  result.status = args[0];
  result.headers = args[1];
  if (count == 3) result.exc_info = args[2];
  return true;
}

// start_response(..., exc_info) after the head has left: the server raises the application's error
// again, so that the answer is cut.
PyObject* raise_again(PyObject* exc_info) {
  PyObject* value = PyTuple_GET_ITEM(exc_info, 1);
  PyObject* traceback = PyTuple_GET_ITEM(exc_info, 2);
  if (PyTraceBack_Check(traceback)) PyException_SetTraceback(value, traceback);
  PyErr_SetObject(PyExceptionInstance_Class(value), value);
  return nullptr;
}

bool is_exc_info(PyObject* object) {
  return PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 3 &&
         PyExceptionInstance_Check(PyTuple_GET_ITEM(object, 1));
}

// Sends at once: that is what write() is for.
PyObject* write(PyObject* self, PyObject* block) {
  Response* response = live_response(self);
  if (response == nullptr) return nullptr;
  if (!PyBytes_Check(block)) {
    PyErr_Format(PyExc_TypeError, "write() takes bytes, not %.100s", Py_TYPE(block)->tp_name);
    return nullptr;
  }
  if (PyBytes_GET_SIZE(block) == 0) Py_RETURN_NONE;
  const Response::Sent sent =
      response->add({PyBytes_AS_STRING(block), static_cast<std::size_t>(PyBytes_GET_SIZE(block))});
  response->show();
  if (sent == Response::Sent::surplus) return fail("write() beyond the response's Content-Length");
  if (sent == Response::Sent::gone || response->aborted()) {
    raise_client_gone(*static_cast<ModuleState*>(PyType_GetModuleState(Py_TYPE(self))),
                      "the client does not want the response any more");
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyMethodDef write_method = {"write", write, METH_O,
                            "write(data, /): sends bytes at once; prefer to yield them"};

PyObject* call(PyObject* self, PyObject* const* args, std::size_t nargsf, PyObject* names) {
  Arguments given;
  if (!parse(args, PyVectorcall_NARGS(nargsf), names, given)) return nullptr;
  Response* response = live_response(self);
  if (response == nullptr) return nullptr;
  if (!Py_IsNone(given.exc_info)) {
    if (!is_exc_info(given.exc_info)) return fail("exc_info must be what sys.exc_info() returned");
    if (response->head_sent()) return raise_again(given.exc_info);
  } else if (response->head().is_set()) {
    return fail("start_response was called a second time, and without exc_info");
  }
  if (!response->head().set(given.status, given.headers)) return nullptr;
  return PyCFunction_New(&write_method, self);
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET,
                          offsetof(StartResponseObject, vectorcall), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_members, members},
                       {0, nullptr}};

}  // namespace

PyType_Spec start_response_spec = {"pycgid_host.StartResponse", sizeof(StartResponseObject), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL |
                                       Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   slots};

PyRef make_start_response(const ModuleState& state, Response& response) {
  auto* object = PyObject_New(StartResponseObject, state.start_response_type);
  if (object == nullptr) return {};
  object->vectorcall = call;
  object->response = &response;
  return PyRef::steal(reinterpret_cast<PyObject*>(object));
}

void close_start_response(PyObject* start_response) {
  cast(start_response)->response = nullptr;
}

}  // namespace pyhost
