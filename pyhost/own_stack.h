// Whether a thread runs on its own stack of Python frames. gevent and eventlet switch to stacks of
// other greenlets in the same thread: an exception that is raised in the thread then hits whatever
// runs there, and not the request.
#pragma once

#include "pyhost/py_ref.h"

namespace pyhost {

class OwnStack {
 public:
  // On the thread that it is about; attached.
  OwnStack();
  // From another thread; attached. True also if it cannot be told.
  bool is_current(unsigned long python_id) const;

 private:
  PyRef base_;  // the frame that all others stand on
};

}  // namespace pyhost
