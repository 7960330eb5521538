// Scopes with and without a thread state. Whatever can block is done inside a Detach.
//
// pyhost is compiled without exceptions, and not only by taste: when the interpreter is on its way
// out, CPython before 3.14 ends a daemon thread that leaves a Detach by pthread_exit, which unwinds
// through our frames. A noexcept destructor compiled with exceptions would abort the process there.
#pragma once

#include "pyhost/internal/py.h"

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

}  // namespace pyhost
