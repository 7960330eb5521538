// A worker's threads: those that run requests, one that watches for the gateway's end, and one that
// interrupts requests that run for too long.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/module_state.h"

namespace pyhost {

struct HostOptions {
  PyObject* application = nullptr;
  PyObject* constants = nullptr;      // a dict: what every environ has
  PyObject* start_threads = nullptr;  // start_threads(count, run) of request_threads.py
  int status_fd = -1;                 // for "ready", once the threads are started; closed then
  unsigned threads = 1;
};

// Answers requests until the gateway wants no more. Call on the main thread, attached: it becomes
// request thread 1. `worker` must live as long as the process: the watching and the interrupting
// thread are never joined, because nothing wakes them while the gateway lives. False with an
// exception set when the threads cannot be started: an OSError or a RuntimeError.
bool serve(const ModuleState& state, WorkerEnd& worker, const HostOptions& options);

}  // namespace pyhost
