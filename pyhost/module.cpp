// The extension module pycgid_host, as boot.py sees it. Multi-phase initialisation, heap types and
// module state only: it loads into any number of interpreters.
#include "pyhost/channel.h"
#include "pyhost/file_wrapper.h"
#include "pyhost/forking.h"
#include "pyhost/gil.h"
#include "pyhost/host.h"
#include "pyhost/input.h"
#include "pyhost/log_lines.h"
#include "pyhost/module_state.h"
#include "pyhost/own_fds.h"
#include "pyhost/process_title.h"
#include "pyhost/start_response.h"
#include "pyhost/worker_signals.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <utility>

namespace pyhost {

ModuleState& module_state(PyObject* module) {
  return *static_cast<ModuleState*>(PyModule_GetState(module));
}

namespace {

// --- module state -------------------------------------------------------------------------------

bool add_type(PyObject* module, PyType_Spec& spec, PyTypeObject*& type) {
  type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return type != nullptr;
}

// Of BaseException, as SystemExit is: what an application catches as Exception must not let it run
// on.
bool add_request_timeout(PyObject* module, PyObject*& exception) {
  exception = PyErr_NewExceptionWithDoc("pycgid.RequestTimeout",
                                        "Raised in a request that runs longer than option "
                                        "\"request-timeout\", or than \"stop-timeout\" once its "
                                        "worker is to end; its client has its answer already.",
                                        PyExc_BaseException, nullptr);
  return exception != nullptr && PyModule_AddObjectRef(module, "RequestTimeout", exception) == 0;
}

// An OSError, as a server that writes to a socket itself would raise it. A class of its own, by
// which it is told from errors of the application's.
bool add_client_gone(PyObject* module, PyObject*& exception) {
  exception = PyErr_NewExceptionWithDoc("pycgid.ClientGone",
                                        "Raised by reading wsgi.input or by write() when nobody "
                                        "wants the response any more.",
                                        PyExc_ConnectionAbortedError, nullptr);
  return exception != nullptr && PyModule_AddObjectRef(module, "ClientGone", exception) == 0;
}

bool intern(const char* text, PyObject*& name) {
  name = PyUnicode_InternFromString(text);
  return name != nullptr;
}

bool import_attribute(const char* module, const char* name, PyObject*& attribute) {
  const auto imported = PyRef::steal(PyImport_ImportModule(module));
  if (imported) attribute = PyObject_GetAttrString(imported.get(), name);
  return attribute != nullptr;
}

int execute(PyObject* module) {
  ModuleState& state = module_state(module);
  const bool made = add_type(module, input_spec, state.input_type) &&
                    add_type(module, start_response_spec, state.start_response_type) &&
                    add_type(module, file_wrapper_spec, state.file_wrapper_type) &&
                    add_request_timeout(module, state.request_timeout) &&
                    add_client_gone(module, state.client_gone) &&
                    import_attribute("_io", "_IOBase", state.io_base) &&
                    import_attribute("io", "FileIO", state.file_io) &&
                    import_attribute("traceback", "format_exception", state.format_exception) &&
                    intern("close", state.str_close) && intern("file", state.str_file) &&
                    intern("fileno", state.str_fileno) && intern("raw", state.str_raw) &&
                    intern("read", state.str_read) && intern("tell", state.str_tell) &&
                    intern("wsgi.input", state.str_wsgi_input) &&
                    intern("pycgid.data", state.str_data) &&
                    intern("pycgid.data_at", state.str_data_at);
  return made && PyModule_AddType(module, state.file_wrapper_type) == 0 &&
                 PyModule_AddStringConstant(module, "__version__", PYCGID_VERSION) == 0
             ? 0
             : -1;
}

int traverse(PyObject* module, visitproc visit, void* arg) {
  ModuleState& state = module_state(module);
  Py_VISIT(state.input_type);
  Py_VISIT(state.start_response_type);
  Py_VISIT(state.file_wrapper_type);
  Py_VISIT(state.request_timeout);
  Py_VISIT(state.client_gone);
  Py_VISIT(state.io_base);
  Py_VISIT(state.file_io);
  Py_VISIT(state.format_exception);
  return 0;
}

int clear(PyObject* module) {
  ModuleState& state = module_state(module);
  Py_CLEAR(state.input_type);
  Py_CLEAR(state.start_response_type);
  Py_CLEAR(state.file_wrapper_type);
  Py_CLEAR(state.request_timeout);
  Py_CLEAR(state.client_gone);
  Py_CLEAR(state.io_base);
  Py_CLEAR(state.file_io);
  Py_CLEAR(state.format_exception);
  Py_CLEAR(state.str_close);
  Py_CLEAR(state.str_file);
  Py_CLEAR(state.str_fileno);
  Py_CLEAR(state.str_raw);
  Py_CLEAR(state.str_read);
  Py_CLEAR(state.str_tell);
  Py_CLEAR(state.str_wsgi_input);
  Py_CLEAR(state.str_data);
  Py_CLEAR(state.str_data_at);
  return 0;
}

void destroy(void* module) {
  clear(static_cast<PyObject*>(module));
}

// --- functions ----------------------------------------------------------------------------------

// log_write(fd, data) -> int: for the replacements of sys.stdout (1) and sys.stderr (2).
PyObject* log_write(PyObject*, PyObject* args) {
  int fd = 0;
  Py_buffer data;
  if (!PyArg_ParseTuple(args, "iy*:log_write", &fd, &data)) return nullptr;
  const LogStream stream = fd == 1 ? LogStream::out : LogStream::err;
  const std::string_view bytes(static_cast<const char*>(data.buf),
                               static_cast<std::size_t>(data.len));
  if (stays_in_line(stream, bytes)) {
    append_to_log(stream, bytes);
  } else {
    const Detach detach;
    append_to_log(stream, bytes);
  }
  PyBuffer_Release(&data);
  return PyLong_FromSize_t(bytes.size());
}

PyObject* log_flush(PyObject*, PyObject* fd) {
  const LogStream stream = PyLong_AsLong(fd) == 1 ? LogStream::out : LogStream::err;
  if (PyErr_Occurred()) return nullptr;
  if (has_unfinished_line(stream)) {
    const Detach detach;
    flush_log(stream);
  }
  Py_RETURN_NONE;
}

PyObject* set_title(PyObject*, PyObject* title) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(title, &size);
  if (text == nullptr) return nullptr;
  set_process_title({text, static_cast<std::size_t>(size)});
  Py_RETURN_NONE;
}

PyObject* take_all_signals(PyObject*, PyObject*) {
  take_signals();
  Py_RETURN_NONE;
}

PyObject* log_warning(PyObject*, PyObject* text) {
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(text, &size);
  if (bytes == nullptr) return nullptr;
  const Detach detach;
  log_text(LogLevel::warning, {bytes, static_cast<std::size_t>(size)});
  Py_RETURN_NONE;
}

// Of the numbers that module logging has.
LogLevel level_of(int number) {
  if (number >= 40) return LogLevel::error;
  if (number >= 30) return LogLevel::warning;
  if (number >= 20) return LogLevel::info;
  return LogLevel::debug;
}

// log_record(level, text): an entry in the application's own words.
PyObject* log_record(PyObject*, PyObject* args) {
  int level = 0;
  Py_buffer text;
  if (!PyArg_ParseTuple(args, "iy*:log_record", &level, &text)) return nullptr;
  {
    const Detach detach;
    log_application(level_of(level),
                    {static_cast<const char*>(text.buf), static_cast<std::size_t>(text.len)});
  }
  PyBuffer_Release(&text);
  Py_RETURN_NONE;
}

PyObject* fork_until_over(PyObject* module, PyObject* orders) {
  const int fd = static_cast<int>(PyLong_AsLong(orders));
  if (PyErr_Occurred()) return nullptr;
  ForkOrder order;
  if (fork_workers(module_state(module), UniqueFd(fd), order) == Forking::is_over) Py_RETURN_NONE;
  ChannelFds& channel = order.side.channel;
  return Py_BuildValue("(Iiiii)", order.number, channel.memory.release(), channel.bell.release(),
                       channel.passing.release(), order.side.status.release());
}

PyObject* stopping(PyObject* module, PyObject*) {
  const WorkerEnd* worker = module_state(module).worker;
  return PyBool_FromLong(worker != nullptr && worker->will_stop());
}

PyObject* wait_overdue(PyObject* module, PyObject*) {
  WorkerEnd* worker = module_state(module).worker;
  WorkerEnd::Overdue overdue;
  if (worker != nullptr) {
    const Detach detach;
    overdue = worker->wait_overdue();
  }
  const std::chrono::duration<double> ago = std::chrono::steady_clock::now() - overdue.since;
  return Py_BuildValue("(Nd)", PyBool_FromLong(overdue.gateway_gone), ago.count());
}

struct ServeArguments {
  PyObject* application = nullptr;
  PyObject* constants = nullptr;
  PyObject* start_threads = nullptr;
  int status_fd = -1;
  int memory_fd = -1;
  int bell_fd = -1;
  int passing_fd = -1;
  PyObject* leave_beside = nullptr;
  unsigned cleanup_ms = 0;
  unsigned threads = 1;
};

bool parse(PyObject* args, PyObject* kwargs, ServeArguments& into) {
  std::array<const char*, 11> names = {"application", "constants", "start_threads", "status_fd",
                                       "memory_fd",   "bell_fd",   "passing_fd",    "leave_beside",
                                       "cleanup_ms",  "threads",   nullptr};
  return PyArg_ParseTupleAndKeywords(
             args, kwargs, "$OO!OiiiiOII:serve", const_cast<char**>(names.data()),
             &into.application, &PyDict_Type, &into.constants, &into.start_threads, &into.status_fd,
             &into.memory_fd, &into.bell_fd, &into.passing_fd, &into.leave_beside, &into.cleanup_ms,
             &into.threads) != 0;
}

PyObject* open_log(PyObject*, PyObject* number) {
  const int fd = static_cast<int>(PyLong_AsLong(number));
  if (PyErr_Occurred()) return nullptr;
  set_log_socket(fd);
  Py_RETURN_NONE;
}

PyObject* own_fd(PyObject*, PyObject* number) {
  const int fd = static_cast<int>(PyLong_AsLong(number));
  if (PyErr_Occurred()) return nullptr;
  return PyBool_FromLong(is_ours(fd));
}

// The application has been imported since the daemon gave them, and may have closed them.
void check_own_fds(const ServeArguments& given) {
  if (!is_ours(given.status_fd)) end_without("status pipe");
  if (!is_ours(given.memory_fd)) end_without("shared memory");
  if (!is_ours(given.bell_fd)) end_without("bell");
  if (!is_ours(given.passing_fd)) end_without("passing socket");
}

PyObject* serve_requests(PyObject* module, PyObject* args, PyObject* kwargs) {
  ServeArguments given;
  if (!parse(args, kwargs, given)) return nullptr;
  check_own_fds(given);
  std::error_code error;
  ChannelFds fds{UniqueFd(given.memory_fd), UniqueFd(given.bell_fd), UniqueFd(given.passing_fd)};
  std::unique_ptr<WorkerEnd> worker = WorkerEnd::open(std::move(fds), error);
  if (!worker) {
    // Of the same version, but built from other sources.
    if (error == std::errc::invalid_argument) {
      PyErr_Format(PyExc_ValueError, "module pycgid_host (%s) does not know the daemon's channel",
                   PYCGID_VERSION);
      return nullptr;
    }
    errno = error.value();
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  // Never destroyed: see serve().
  WorkerEnd& immortal = *worker.release();
  module_state(module).worker = &immortal;
  const Served served = serve(immortal, {.module = PyRef::borrow(module),
                                         .application = PyRef::borrow(given.application),
                                         .constants = PyRef::borrow(given.constants),
                                         .start_threads = PyRef::borrow(given.start_threads),
                                         .leave_beside = PyRef::borrow(given.leave_beside),
                                         .status_fd = given.status_fd,
                                         .cleanup_ms = given.cleanup_ms,
                                         .threads = given.threads});
  return served == Served::failed ? nullptr : PyBool_FromLong(served == Served::wholly);
}

PyMethodDef functions[] = {
    {"log_write", log_write, METH_VARARGS,
     "log_write(fd, data, /) -> int: prints to the log, line by line"},
    {"log_flush", log_flush, METH_O, "log_flush(fd, /): ends this thread's unfinished line"},
    {"log_warning", log_warning, METH_O, "log_warning(text, /): a line of that level"},
    {"log_record", log_record, METH_VARARGS,
     "log_record(level, text, /): an entry of bytes, with a level of logging's"},
    {"fork_workers", fork_until_over, METH_O,
     "fork_workers(orders_fd, /) -> (number, memory_fd, bell_fd, passing_fd, status_fd) in each "
     "worker that it forks, None in the template when no more are wanted"},
    {"open_log", open_log, METH_O, "open_log(fd, /): the socket that leads to the log"},
    {"is_ours", own_fd, METH_O,
     "is_ours(fd, /) -> bool: whether that is still the daemon's descriptor"},
    {"set_process_title", set_title, METH_O, "set_process_title(title, /): what ps shows"},
    {"take_signals", take_all_signals, METH_NOARGS,
     "take_signals(): only the master obeys signals; to be called again after the import"},
    {"stopping", stopping, METH_NOARGS,
     "stopping() -> bool: whether this worker is to end before long"},
    {"wait_overdue", wait_overdue, METH_NOARGS,
     "wait_overdue() -> (gateway_gone, ago): waits until the worker takes too long to end, or its "
     "gateway is gone; and how many seconds ago that was"},
    {"serve", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(serve_requests)),
     METH_VARARGS | METH_KEYWORDS,
     "serve(*, application, ...) -> bool: answers the gateway's requests; False when some do not "
     "end"},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(execute)},
                            PYHOST_SLOT_INTERPRETERS PYHOST_SLOT_GIL{0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "pycgid_host",
                          "What pycgid(8) puts into an application's Python.",
                          sizeof(ModuleState),
                          functions,
                          slots,
                          traverse,
                          clear,
                          destroy};

}  // namespace
}  // namespace pyhost

PyMODINIT_FUNC PyInit_pycgid_host() {
  return PyModuleDef_Init(&pyhost::definition);
}
