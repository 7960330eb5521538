// Only the master obeys signals: it blocks them before it does anything else and reads them from a
// signalfd. So a signal that is sent to all processes of the daemon, by a service manager, by the
// end of a container or by pkill(1), means what it means to the master. A child holds them back
// from its first instant on; what becomes of them then is the child's own affair.
#pragma once

#include "pyhost/unique_fd.h"

namespace pycgid {

// First of all in main: those that the master obeys wait from now on, TERM, INT, QUIT, HUP, USR1
// and USR2, and CHLD. A file that may not grow (ulimit -f) is an error of that write, EFBIG, as a
// full disk is, and not the end of the process: XFSZ is ignored.
void hold_signals();
// For a run that serves nobody, and is to end as other programs do.
void let_signals_through();

// Returns a non-blocking signalfd that reports them; ignores PIPE. Throws StartupError.
pyhost::UniqueFd take_signals();

// The next signal that waits, 0 when none does.
int next_signal(const pyhost::UniqueFd& signals);

// In a child that is about to execute a program: default dispositions, and those that only the
// master obeys still held back, for the worker to take (pyhost/worker_signals.h).
// Async-signal-safe.
void hand_signals_on();

// In a child that executes nothing: those that only the master obeys, and XFSZ, are ignored.
void ignore_masters_signals();

}  // namespace pycgid
