// A worker's threads: those that run requests, one that watches for the gateway's end, one that
// interrupts requests that run for too long, and one that sees to it that the worker ends in order
// beside requests that do not end.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/py_ref.h"

namespace pyhost {

// References of its own: there are threads that outlast the call of serve(), and what its caller
// holds.
struct HostOptions {
  PyRef module;             // pycgid_host, whose state all use
  PyRef application;        // called for each request
  PyRef constants;          // a dict: what every environ has
  PyRef start_threads;      // start_threads(count, run) of request_threads.py
  PyRef leave_beside;       // leave_beside(): ends the process; the main thread is stuck
  int status_fd = -1;       // for "ready", once the threads are started; closed then
  unsigned cleanup_ms = 0;  // from the cut of requests to the worker's violent end
  unsigned threads = 1;
};

enum class Served {
  failed,       // the threads cannot be started; an OSError or a RuntimeError is set
  wholly,       // all threads have ended
  left_behind,  // some run requests that do not end
};

// Answers requests until the gateway wants no more. Call on the main thread, attached: it becomes
// request thread 1. `worker` must live as long as the process: the watching and the interrupting
// thread are never joined, because nothing wakes them while the gateway lives. For them `options`
// are never given up.
Served serve(WorkerEnd& worker, HostOptions options);

}  // namespace pyhost
