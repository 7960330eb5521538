// Runs the application for one request after the other: environ, call, iteration, close (PEP 3333).
// One for each request thread, on that thread, attached; whatever blocks detaches meanwhile.
#pragma once

#include "pyhost/environ_builder.h"
#include "pyhost/module_state.h"
#include "pyhost/response.h"
#include "pyhost/running_request.h"

#include <memory>
#include <string_view>

namespace pyhost {

class RequestRunner {
 public:
  struct Subject {
    PyObject* application;
    PyObject* context;  // see request_context.h
  };

  // Everything outlives the runner.
  RequestRunner(const ModuleState& state, WorkerEnd& worker, RunningRequest& running,
                const Subject& subject)
      : state_(state),
        worker_(worker),
        running_(running),
        application_(subject.application),
        context_(subject.context),
        response_(*std::make_unique<Response>(worker).release()) {}

  // `constants` are the keys that every environ has. False with an exception set.
  bool begin(PyObject* constants) { return environs_.begin(constants); }

  // From a request taken to its slot given back. Leaves no exception, whatever the application
  // does; in a process that the application forked off, it does not return.
  void run(const TakenRequest& request);

 private:
  // How sending goes on. `failed` has an exception set.
  enum class Progress { more, complete, gone, failed };

  void serve(const TakenRequest& request, PyRef environ);
  PyRef add_filter_data(PyObject* environ, PyObject* input);
  PyRef call(PyRef environ, PyObject* input, PyObject* start_response);
  Progress send(const TakenRequest& request, PyObject* iterable);
  Progress send_file(PyObject* iterable);
  Progress send_blocks(const TakenRequest& request, PyObject* iterable);
  Progress send_block(const TakenRequest& request, PyObject* block, bool only, bool show);
  Progress finish(Progress progress);
  void report(const TakenRequest& request, Progress progress);
  void close(const TakenRequest& request, PyObject* iterable);
  void leave_if_forked(const TakenRequest& request) const;

  const ModuleState& state_;
  WorkerEnd& worker_;
  RunningRequest& running_;
  PyObject* application_;
  PyObject* context_;
  EnvironBuilder environs_;
  Response& response_;  // never destroyed: an application may keep what leads to it
};

}  // namespace pyhost
