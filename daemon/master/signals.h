// The master's signals: blocked and read from a signalfd; children get a clean state back.
#pragma once

#include "pyhost/unique_fd.h"

namespace pycgid {

// Blocks TERM, INT, QUIT, HUP, USR1 and CHLD and returns a non-blocking signalfd that reports them;
// ignores PIPE. Throws StartupError.
pyhost::UniqueFd take_signals();

// The next signal that waits, 0 when none does.
int next_signal(const pyhost::UniqueFd& signals);

// In a child: default dispositions and an empty mask. Async-signal-safe.
void restore_signals();

}  // namespace pycgid
