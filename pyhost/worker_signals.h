// Signals in a worker and in the template of option "preload". Only the master obeys signals: one
// that is sent to all processes of the daemon must do no harm here. So HUP, INT, QUIT, USR1 and
// USR2 do nothing, and TERM asks the gateway for a successor, which means to finish what was begun.
//
// They are not ignored but handled, because programs that the application starts would inherit
// being ignored. Python is not told: for it these signals are as in any fresh process, and a
// handler that an application sets takes the place of ours. A fork of the worker's that executes
// nothing meets the default again.
#pragma once

#include "pyhost/channel.h"

namespace pyhost {

// On the main thread, as soon as the module is loaded; the master has held them back until then.
// From here on the death of the master ends this process and everything in its session, if it leads
// one. Once more after the application was loaded: it may have put a default back.
void take_signals();

// TERM makes this worker ask for a successor, also one that has come before. `worker` is immortal.
void leave_on_term(WorkerEnd& worker);

// Around a fork that makes a worker of this process: those signals wait meanwhile.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
};

// In the forked worker: it handles signals as its template did, and dies with its parent, which is
// the master. False: that is gone.
bool take_signals_forked(pid_t master);

}  // namespace pyhost
