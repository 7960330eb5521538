// The Python stack of another thread, also when that thread is in C code, or holds the GIL and does
// not let go of it: a signal makes the thread write its own stack into a pipe, with CPython's
// faulthandler, which needs no GIL. One in a process.
#pragma once

#include "pyhost/buffer.h"
#include "pyhost/unique_fd.h"

#include <pthread.h>

namespace pyhost {

class StackDump {
 public:
  // Takes over SIGRTMAX. Attached; false with an exception set.
  bool open();

  // One call for each line, most recent call first; empty when the thread did not answer within a
  // second. `thread` must not end meanwhile. For one thread at a time, without the GIL.
  Buffer of(pthread_t thread);

 private:
  bool take_signal();

  UniqueFd reader_;
  UniqueFd writer_;
};

}  // namespace pyhost
