// Looks at files that do not come to an end.
#include "daemon/master/worker_place.h"

#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <csignal>
#include <string>
#include <unistd.h>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

std::string failure_of(const std::function<std::string()>& look) {
  PoolSettings pool;
  pool.name = "blog";
  try {
    look_aside(pool, look, 200ms);
    return "none";
  } catch (const StartupError& error) {
    return error.text;
  }
}

TEST_CASE("worker place: a look gives what it returned, or what it threw", "[master]") {
  PoolSettings pool;
  CHECK(look_aside(pool, [] { return std::string("seen"); }) == "seen");
  CHECK(failure_of([]() -> std::string { fail_start(ExitStatus::configuration, "no such"); }) ==
        "no such");
}

TEST_CASE("worker place: a look that is stopped is not waited for", "[master]") {
  CHECK(failure_of([] {
          ::raise(SIGSTOP);
          return std::string();
        }).starts_with("looking at the files of pool \"blog\" takes longer than 200ms"));
}

TEST_CASE("worker place: a look that dies is reported", "[master]") {
  CHECK(failure_of([] {
          ::raise(SIGKILL);
          return std::string();
        }) == "a process that looked for the application was killed");
}

}  // namespace
