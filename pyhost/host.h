// A worker's threads: those that run requests, one that watches for the gateway's end, one that
// interrupts requests that run for too long, and one that sees to it that the worker ends in order
// beside requests that do not end.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/module_state.h"

namespace pyhost {

struct HostOptions {
  PyObject* application = nullptr;
  PyObject* constants = nullptr;      // a dict: what every environ has
  PyObject* start_threads = nullptr;  // start_threads(count, run) of request_threads.py
  int status_fd = -1;                 // for "ready", once the threads are started; closed then
  PyObject* leave_beside = nullptr;   // leave_beside(): ends the process; the main thread is stuck
  unsigned cleanup_ms = 0;            // from the cut of requests to the worker's violent end
  unsigned threads = 1;
};

enum class Served {
  failed,       // the threads cannot be started; an OSError or a RuntimeError is set
  wholly,       // all threads have ended
  left_behind,  // some run requests that do not end
};

// Answers requests until the gateway wants no more. Call on the main thread, attached: it becomes
// request thread 1. `worker` must live as long as the process: the watching and the interrupting
// thread are never joined, because nothing wakes them while the gateway lives.
Served serve(const ModuleState& state, WorkerEnd& worker, const HostOptions& options);

}  // namespace pyhost
