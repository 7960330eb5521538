#include "pyhost/start_response.h"

#include "pyhost/exceptions.h"
#include "pyhost/response.h"

#include <structmember.h>

#include <cstddef>

namespace pyhost {
namespace {

struct StartResponseObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  Response* response;
  Response::Ticket ticket;
  std::uint32_t slot;
};

StartResponseObject* cast(PyObject* self) {
  return reinterpret_cast<StartResponseObject*>(self);
}

PyObject* fail(const char* text) {
  PyErr_SetString(PyExc_AssertionError, text);
  return nullptr;
}

PyObject* fail_over() {
  PyErr_SetString(PyExc_RuntimeError,
                  "start_response or write() was called after the end of its request");
  return nullptr;
}

PyObject* fail_gone(StartResponseObject& mine, const char* text) {
  auto* const type = Py_TYPE(reinterpret_cast<PyObject*>(&mine));
  raise_client_gone(*static_cast<ModuleState*>(PyType_GetModuleState(type)), mine.slot, text);
  return nullptr;
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

// What sys.exc_info() returns where there is none.
bool is_no_exception(PyObject* object) {
  if (Py_IsNone(object)) return true;
  return PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 3 &&
         Py_IsNone(PyTuple_GET_ITEM(object, 0)) && Py_IsNone(PyTuple_GET_ITEM(object, 1)) &&
         Py_IsNone(PyTuple_GET_ITEM(object, 2));
}

PyObject* write(PyObject* self, PyObject* block) {
  if (!PyBytes_Check(block)) {
    PyErr_Format(PyExc_TypeError, "write() takes bytes, not %.100s", Py_TYPE(block)->tp_name);
    return nullptr;
  }
  StartResponseObject& mine = *cast(self);
  const auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(block));
  switch (mine.response->write(mine.ticket, {PyBytes_AS_STRING(block), size})) {
    case Response::Sent::ok:
      break;
    case Response::Sent::gone:
      return fail_gone(mine, "the client does not want the response any more");
    case Response::Sent::enough:
      return fail_gone(mine, "the client has the whole response, which is its head");
    case Response::Sent::surplus:
      return fail("write() beyond the response's Content-Length");
    case Response::Sent::no_head:
      return fail("write() was called after start_response had failed");
    case Response::Sent::over:
      return fail_over();
  }
  Py_RETURN_NONE;
}

PyMethodDef write_method = {"write", write, METH_O,
                            "write(data, /): sends bytes at once; prefer to yield them"};

PyObject* refuse(Response::Start start, PyObject* exc_info) {
  switch (start) {
    case Response::Start::late:
      return raise_again(exc_info);
    case Response::Start::second:
      return fail("start_response was called a second time, and without exc_info");
    default:
      return fail_over();
  }
}

// The head is made outside of the response's lock: what goes wrong in it shows the application's
// own objects, whose code may call anything.
PyObject* call(PyObject* self, PyObject* const* args, std::size_t nargsf, PyObject* names) {
  Arguments given;
  if (!parse(args, PyVectorcall_NARGS(nargsf), names, given)) return nullptr;
  const bool replace = !is_no_exception(given.exc_info);
  if (replace && !is_exc_info(given.exc_info)) {
    return fail("exc_info must be what sys.exc_info() returned");
  }
  StartResponseObject& mine = *cast(self);
  ResponseHead head;
  Response::Start start = mine.response->lend_head(mine.ticket, replace, head);
  if (start != Response::Start::ok) return refuse(start, given.exc_info);
  const bool good = head.set(given.status, given.headers);
  start = mine.response->set_head(mine.ticket, replace, head);
  if (!good) return nullptr;
  if (start != Response::Start::ok) return refuse(start, given.exc_info);
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
  object->ticket = response.ticket();
  object->slot = response.slot();
  return PyRef::steal(reinterpret_cast<PyObject*>(object));
}

}  // namespace pyhost
