// Option "daemonize": the process that was started waits until the daemon serves, and then ends;
// the daemon is its grandchild, in a session of its own, without a terminal.
#pragma once

#include "daemon/startup_error.h"
#include "pyhost/unique_fd.h"

namespace pycgid {

class Background {
 public:
  // Does nothing until enter() is called, as without option "daemonize".
  Background() = default;
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Returns in the daemon; nothing may have been forked before. The process that was started exits
  // in here: with status 0 when the daemon calls ready(), else with that of its end. Signals that
  // end it meanwhile end the daemon, too. Throws StartupError.
  void enter();

  // The daemon serves: its standard input, output and error are /dev/null from now on, and whoever
  // started it goes on.
  void ready();
  // The daemon does not start, and has said why, or is about to.
  void failed(ExitStatus status);
  // The daemon ends in order. If it has never served, a signal that it got itself was the cause.
  void ended();

 private:
  pyhost::UniqueFd parent_;  // pipe to the process that waits
};

// Points 0, 1 and 2 to /dev/null. Async-signal-safe.
void leave_standard_descriptors();

}  // namespace pycgid
