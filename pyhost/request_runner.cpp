#include "pyhost/request_runner.h"

#include "pyhost/after_run.h"
#include "pyhost/exception_log.h"
#include "pyhost/exceptions.h"
#include "pyhost/file_wrapper.h"
#include "pyhost/gil.h"
#include "pyhost/input.h"
#include "pyhost/log_lines.h"
#include "pyhost/request_context.h"
#include "pyhost/request_text.h"
#include "pyhost/start_response.h"

#include <array>
#include <charconv>
#include <chrono>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace pyhost {
namespace {

// All of whose blocks are there already: no code of the application runs between them.
bool is_plain_sequence(PyObject* object) {
  return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

// PEP 3333, "Handling the Content-Length Header": an iterable may say that it is a single block.
// False with an exception set when its __len__ raised one that is not to be ignored.
bool has_length_one(PyObject* iterable) {
  const PySequenceMethods* methods = Py_TYPE(iterable)->tp_as_sequence;
  if (methods == nullptr || methods->sq_length == nullptr) return false;
  const Py_ssize_t length = PyObject_Size(iterable);
  if (length < 0) forgive();
  return length == 1;
}

// Of an iterable: the application does not see that it is stopped.
constexpr std::chrono::seconds kIterableGoesOn{1};

void log_detached(LogLevel level, std::string_view text) {
  const Detach detach;
  log_text(level, text);
}

void flush_detached(LogStream stream) {
  if (!has_unfinished_line(stream)) return;
  const Detach detach;
  flush_log(stream);
}

// What an application has put in the place of sys.stdout may keep lines back.
void flush_python_streams() {
  for (const char* name : {"stdout", "stderr"}) {
    PyObject* stream = PySys_GetObject(name);
    if (stream == nullptr || Py_IsNone(stream)) continue;
    const auto done = PyRef::steal(PyObject_CallMethod(stream, "flush", nullptr));
    const auto ignored = PyRef::steal(done ? nullptr : py::take_exception());
  }
}

}  // namespace

void RequestRunner::run(const TakenRequest& request) {
  PyRef environ = environs_.build(request.params);
  const LogRequest marked(environs_.value("pycgid.request_id"));
  response_.begin(request.slot);
  running_.begin(request);
  {
    const RequestContext context(state_, context_);
    serve(request, std::move(environ));
  }
  running_.end();
  flush_detached(LogStream::out);
  flush_detached(LogStream::err);
  worker_.finish(request.slot);
}

void RequestRunner::serve(const TakenRequest& request, PyRef environ) {
  const PyRef input = make_input(state_, worker_, request);
  const PyRef start_response = make_start_response(state_, response_);
  PyRef filter_data;
  if (environ && input) filter_data = add_filter_data(environ.get(), input.get());
  PyRef iterable;
  Progress progress = Progress::failed;
  if (environ && input && start_response && !PyErr_Occurred()) {
    iterable = call(std::move(environ), input.get(), start_response.get());
  }
  leave_if_forked(request);
  if (iterable) progress = send(request, iterable.get());
  leave_if_forked(request);
  running_.move_on(progress == Progress::gone ? RunningRequest::Phase::cut
                                              : RunningRequest::Phase::closing);
  // The front gets the whole answer before the application cleans up.
  progress = finish(progress);
  if (progress != Progress::complete) {
    report(request, progress);
    response_.end(EndKind::failed);
  }
  if (iterable) close(request, iterable.get());
  if (input) close_input(input.get());
  if (filter_data) close_input(filter_data.get());
}

// The gateway puts a Filter's DATA behind its STDIN and tells where it begins; other roles have
// none.
PyRef RequestRunner::add_filter_data(PyObject* environ, PyObject* input) {
  const std::string_view text = environs_.value("pycgid.data_at");
  if (text.empty()) return {};
  std::uint64_t at = 0;
  std::from_chars(text.data(), text.data() + text.size(), at);
  PyRef data = make_filter_data(state_, input, at);
  if (!data || PyDict_SetItem(environ, state_.str_data, data.get()) < 0) return {};
  if (PyDict_DelItem(environ, state_.str_data_at) < 0) return {};
  return data;
}

// The application alone decides how long its environ lives.
PyRef RequestRunner::call(PyRef environ, PyObject* input, PyObject* start_response) {
  if (PyDict_SetItem(environ.get(), state_.str_wsgi_input, input) < 0) return {};
  // The element before the first is the callee's to write to (PEP 590).
  std::array<PyObject*, 3> arguments = {nullptr, environ.get(), start_response};
  return PyRef::steal(PyObject_Vectorcall(application_, arguments.data() + 1,
                                          2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}

RequestRunner::Progress RequestRunner::send(const TakenRequest& request, PyObject* iterable) {
  if (PyBytes_Check(iterable) || PyUnicode_Check(iterable)) {
    PyErr_Format(PyExc_TypeError,
                 "the application returned %s itself; it must return an iterable of bytes, "
                 "such as [body]",
                 Py_TYPE(iterable)->tp_name);
    return Progress::failed;
  }
  const Progress progress = send_file(iterable);
  return progress == Progress::more ? send_blocks(request, iterable) : progress;
}

// `more`: it is no file that the gateway can send.
RequestRunner::Progress RequestRunner::send_file(PyObject* iterable) {
  const auto file = sendable_file(state_, iterable);
  if (PyErr_Occurred()) return Progress::failed;
  if (!file) return Progress::more;
  return response_.add_file(file->fd, file->range) ? Progress::complete : Progress::more;
}

RequestRunner::Progress RequestRunner::send_blocks(const TakenRequest& request,
                                                   PyObject* iterable) {
  const bool only_one = has_length_one(iterable);
  if (PyErr_Occurred()) return Progress::failed;
  const bool show_each = !is_plain_sequence(iterable);
  const auto iterator = PyRef::steal(PyObject_GetIter(iterable));
  if (!iterator) return Progress::failed;
  for (AfterRun after_run(kIterableGoesOn);;) {
    const auto block = PyRef::steal(PyIter_Next(iterator.get()));
    leave_if_forked(request);
    if (!block) return PyErr_Occurred() ? Progress::failed : Progress::complete;
    const Progress progress = send_block(request, block.get(), only_one, show_each);
    if (progress != Progress::more) return progress;
    if (response_.aborted()) return Progress::gone;
    if (response_.satisfied() && after_run.is_over()) return Progress::complete;
  }
}

RequestRunner::Progress RequestRunner::send_block(const TakenRequest& request, PyObject* block,
                                                  bool only, bool show) {
  if (!PyBytes_Check(block)) {
    PyErr_Format(PyExc_TypeError, "the application yielded %.100s, not bytes",
                 Py_TYPE(block)->tp_name);
    return Progress::failed;
  }
  const std::string_view bytes(PyBytes_AS_STRING(block),
                               static_cast<std::size_t>(PyBytes_GET_SIZE(block)));
  if (bytes.empty()) return Progress::more;
  switch (response_.add({bytes, only, show})) {
    case Response::Sent::ok:
      return Progress::more;
    case Response::Sent::surplus:
      log_detached(LogLevel::error,
                   describe_request(request.params)
                       .append(": the response is longer than its Content-Length, cut"));
      return Progress::complete;
    case Response::Sent::no_head:
      PyErr_SetString(PyExc_AssertionError,
                      "the application yielded a block before it called start_response");
      return Progress::failed;
    default:
      return Progress::gone;
  }
}

// An answer without a body needs a head all the same.
RequestRunner::Progress RequestRunner::finish(Progress progress) {
  if (progress != Progress::complete || response_.end(EndKind::complete)) return progress;
  PyErr_SetString(PyExc_AssertionError, "the application never called start_response");
  return Progress::failed;
}

// A client that went away is no error, and neither is what we raised ourselves to say so.
// Everything else is the application's, gone client or not.
void RequestRunner::report(const TakenRequest& request, Progress progress) {
  ShortText text = describe_request(request.params);
  if (progress == Progress::gone || take_if(state_.client_gone)) {
    log_detached(LogLevel::debug, text.append(": the client is gone"));
  } else if (take_if(state_.request_timeout)) {
    log_detached(LogLevel::notice, text.append(": ended by pycgid.RequestTimeout"));
  } else {
    log_exception(state_, text.append(": the application failed"));
  }
}

void RequestRunner::close(const TakenRequest& request, PyObject* iterable) {
  if (is_plain_sequence(iterable)) return;
  PyRef result;
  const auto method = PyRef::steal(py::optional_attribute(iterable, state_.str_close));
  if (method && !Py_IsNone(method.get())) {
    result = PyRef::steal(PyObject_CallNoArgs(method.get()));
  }
  leave_if_forked(request);
  if (PyErr_Occurred()) {
    log_exception(state_,
                  describe_request(request.params).append(": close() of the response failed"));
  }
}

// The application forked and did not leave the child: the request is the parent's, but how the
// child ends is its own affair. What the worker does at its end (atexit) is not for the child to
// do.
void RequestRunner::leave_if_forked(const TakenRequest& request) const {
  if (!worker_.forked()) return;
  int status = take_exit_status();
  if (status < 0) {
    ShortText text = describe_request(request.params);
    text.append(": the application failed in a process that it forked (process ");
    log_exception(state_, text.append_number(::getpid()).append(")"));
    status = 1;
  }
  flush_python_streams();
  flush_log(LogStream::out);
  flush_log(LogStream::err);
  ::_exit(status);
}

}  // namespace pyhost
