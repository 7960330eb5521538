// Scopes with and without a thread state. Whatever can block is done inside a Detach.
//
// pyhost is compiled without exceptions, and not only by taste: when the interpreter is on its way
// out, CPython before 3.14 ends a daemon thread that leaves a Detach by pthread_exit, which unwinds
// through our frames. A noexcept destructor compiled with exceptions would abort the process there.
#pragma once

#include "pyhost/internal/py.h"
#include "pyhost/mutex.h"

namespace pyhost {

// Gives a native thread its thread state, once, for as long as it lives. The main interpreter only.
class Attach {
 public:
  Attach() : state_(PyGILState_Ensure()) {}
  ~Attach() { PyGILState_Release(state_); }
  Attach(const Attach&) = delete;
  Attach& operator=(const Attach&) = delete;

 private:
  PyGILState_STATE state_;
};

// Lets other threads run Python meanwhile. No PyRef may be made, copied or dropped inside.
class Detach {
 public:
  Detach() : state_(PyEval_SaveThread()) {}
  ~Detach() { PyEval_RestoreThread(state_); }
  Detach(const Detach&) = delete;
  Detach& operator=(const Detach&) = delete;

 private:
  PyThreadState* state_;
};

// Holds a mutex that threads of the application may ask for, too. For an attached thread, which
// never waits for it attached: the holder may be about to attach. No code of the application may
// run while it is held, so no Python object is made, dropped or called but plain bytes.
class AttachedLock {
 public:
  explicit AttachedLock(Mutex& mutex) : mutex_(mutex) {
    if (mutex_.try_lock()) return;
    const Detach detach;
    mutex_.lock();
  }
  ~AttachedLock() { mutex_.unlock(); }
  AttachedLock(const AttachedLock&) = delete;
  AttachedLock& operator=(const AttachedLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace pyhost
