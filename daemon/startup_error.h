// Why the daemon could not start. Thrown anywhere before the pool is ready, caught once, in main,
// which prints `pycgid: TEXT` and exits with `status`.
#pragma once

#include <string>
#include <utility>

namespace pycgid {

// Values of sysexits(3). Service managers start again what may work later, and leave alone what
// cannot work before somebody has changed something.
enum class ExitStatus : int {
  ok = 0,
  usage = 64,
  bug = 70,
  system = 71,        // the system refused something: a port in use, no rights
  temporary = 75,     // what may work later: an application that failed, or was too slow, to load
  configuration = 78  // what can never work as it is written
};

struct StartupError {
  ExitStatus status = ExitStatus::bug;
  std::string text;
};

[[noreturn]] inline void fail_start(ExitStatus status, std::string text) {
  throw StartupError{status, std::move(text)};
}

}  // namespace pycgid
