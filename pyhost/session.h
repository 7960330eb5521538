// What is left of a session: each worker leads one of its own, so that everything its application
// has started can be found when the worker is gone, whatever process groups there are by then. A
// process that has a session of its own was started to stay. No Python.
#pragma once

#include <span>
#include <sys/types.h>

namespace pyhost {

// Kills every process of these sessions but the caller, and those that are started meanwhile. Needs
// /proc; without it nothing is found. Async-signal-safe.
void kill_sessions(std::span<const pid_t> sessions);

}  // namespace pyhost
