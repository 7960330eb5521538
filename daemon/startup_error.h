// Why the daemon could not start. Thrown anywhere before the pool is ready, caught once, in main,
// which prints `pycgid: TEXT` and exits with `status`.
#pragma once

#include <string>
#include <utility>

namespace pycgid {

// The values of sysexits(3) that CONTRACT.md promises.
enum class ExitStatus : int { ok = 0, usage = 64, bug = 70, system = 71, configuration = 78 };

struct StartupError {
  ExitStatus status = ExitStatus::bug;
  std::string text;
};

[[noreturn]] inline void fail_start(ExitStatus status, std::string text) {
  throw StartupError{status, std::move(text)};
}

}  // namespace pycgid
