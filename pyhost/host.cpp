#include "pyhost/host.h"

#include "pyhost/exception_log.h"
#include "pyhost/gil.h"
#include "pyhost/interrupter.h"
#include "pyhost/own_fds.h"
#include "pyhost/request_runner.h"
#include "pyhost/thread_gate.h"
#include "pyhost/worker_signals.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <pthread.h>
#include <utility>

namespace pyhost {
namespace {

// Never destroyed, and so are the objects that it holds: service threads are never joined.
struct Host {
  const ModuleState& state;
  WorkerEnd& worker;
  Interrupter& interrupter;
  const HostOptions options;
  const PyRef context;  // which each request gets a copy of
  ThreadGate gate{};
};

// Handlers of Python run on the main thread only. What they raise is logged: it belongs to no
// request, and must not end the worker.
void run_signal_handlers(const ModuleState& state) {
  if (PyErr_CheckSignals() != 0) log_exception(state, "a signal handler failed");
}

// Waits detached until there is probably a request. The main thread comes back after each signal,
// too; one that arrives in the instant before it falls asleep has its handler run at the next
// awakening. False: the worker is to end.
bool wait_for_work(Intake& intake, bool is_main) {
  const Detach detach;
  do {
    if (!intake.park()) return false;
  } while (!is_main && !intake.work_waits());
  return true;
}

void run_requests(const Host& host, bool is_main) {
  RequestRunner runner(host.state, host.worker, host.interrupter.add_thread(),
                       {host.options.application.get(), host.context.get()});
  if (!runner.begin(host.options.constants.get())) {
    log_exception(host.state, "a request thread cannot start");
    return;
  }
  Intake intake(host.worker);
  do {
    if (is_main) run_signal_handlers(host.state);
    // With the GIL still held from one request to the next: INTERPRETERS.md 2.2.
    while (const auto request = intake.try_take()) runner.run(*request);
  } while (wait_for_work(intake, is_main));
}

bool wait_open(ThreadGate& gate) {
  const Detach detach;
  return gate.wait_open();
}

// What each of the threads calls that request_threads.py starts.
PyObject* request_thread(PyObject* capsule, PyObject*) {
  Host& host = *static_cast<Host*>(PyCapsule_GetPointer(capsule, nullptr));
  if (!wait_open(host.gate)) Py_RETURN_NONE;
  run_requests(host, false);
  host.gate.leave();
  Py_RETURN_NONE;
}

PyMethodDef request_thread_method = {"run_requests", request_thread, METH_NOARGS, nullptr};

void* watching_thread(void* worker) {
  static_cast<WorkerEnd*>(worker)->watch_gateway();
  return nullptr;
}

void* interrupting_thread(void* interrupter) {
  static_cast<Interrupter*>(interrupter)->run();
  return nullptr;
}

// What is started from here is to be terminated like others.
void take_signals() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// It is decided attached who does it: a request that ends meanwhile leaves it to the main thread.
void leave_beside_main(Host& host) {
  take_signals();
  const Attach attach;
  if (!host.gate.take_over()) return;
  const auto done = PyRef::steal(PyObject_CallNoArgs(host.options.leave_beside.get()));
  if (!done) log_exception(host.state, "the worker cannot end in order");
  host.gate.give_back();
}

// Requests that heed their cut get half of the time that is left, what the application wants done
// at the end gets the other half. When the gateway is gone, the master gives the requests a time of
// their own, as long as the other. That all is done by the main thread, if it runs no such request.
void* ending_thread(void* argument) {
  constexpr std::chrono::milliseconds kMoment{200};
  Host& host = *static_cast<Host*>(argument);
  const std::chrono::milliseconds time{host.options.cleanup_ms};
  const unsigned others = host.options.threads - 1;
  const auto patience = host.worker.wait_overdue().gateway_gone ? time : time / 2;
  if (host.gate.all_leave_within(patience, others)) return nullptr;
  host.worker.close();  // ends the threads that have nothing to do
  if (host.gate.all_leave_within(std::min(kMoment, time / 8), others)) return nullptr;
  leave_beside_main(host);
  return nullptr;
}

// These take no signals. Request threads do not block them: what an application starts from
// there would inherit the mask, and could not be terminated any more. The kernel prefers the main
// thread for them anyway.
int start_service(void* (*run)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) pthread_detach(thread);
  return error;
}

bool start_services(Host& host) {
  errno = start_service(watching_thread, &host.worker);
  if (errno == 0) errno = start_service(interrupting_thread, &host.interrupter);
  if (errno == 0) errno = start_service(ending_thread, &host);
  if (errno != 0) PyErr_SetFromErrno(PyExc_OSError);
  return errno == 0;
}

// Those that were started before one could not be end at once.
bool start_request_threads(Host& host) {
  const auto capsule = PyRef::steal(PyCapsule_New(&host, nullptr, nullptr));
  if (!capsule) return false;
  const auto run = PyRef::steal(PyCFunction_New(&request_thread_method, capsule.get()));
  if (!run) return false;
  const auto done = PyRef::steal(PyObject_CallFunction(host.options.start_threads.get(), "IO",
                                                       host.options.threads, run.get()));
  if (!done) host.gate.give_up();
  return static_cast<bool>(done);
}

bool wait_for_request_threads(Host& host) {
  const Detach detach;
  return host.gate.wait_left(host.options.threads - 1);
}

// Not in Python, where a handler of a signal that came meanwhile would run, and could raise.
// When the master is gone, the worker ends by that.
void say_ready(int status) {
  constexpr std::string_view kReady = "ready\n";
  if (!is_ours(status)) end_without("status pipe");
  [[maybe_unused]] const ssize_t said = ::write(status, kReady.data(), kReady.size());
  ::close(status);
}

}  // namespace

Served serve(WorkerEnd& worker, HostOptions options) {
  const ModuleState& state = module_state(options.module.get());
  auto context = PyRef::steal(PyContext_CopyCurrent());
  if (!context) return Served::failed;
  // Never destroyed, like `worker`.
  Interrupter& interrupter = *std::make_unique<Interrupter>(state, worker).release();
  if (!interrupter.open()) return Served::failed;
  Host& host =
      *std::make_unique<Host>(state, worker, interrupter, std::move(options), std::move(context))
           .release();
  if (!start_services(host) || !start_request_threads(host)) return Served::failed;
  host.gate.open();
  say_ready(host.options.status_fd);
  leave_on_term(worker);
  run_requests(host, true);
  return wait_for_request_threads(host) ? Served::wholly : Served::left_behind;
}

}  // namespace pyhost
