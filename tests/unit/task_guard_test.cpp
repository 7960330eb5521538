// Exceptions of the running master: each task's own, said once, with a pause after it.
#include "daemon/master/task_guard.h"

#include "daemon/startup_error.h"
#include "tests/unit/captured_log.h"
#include "tests/unit/catch.h"

#include <chrono>
#include <new>
#include <stdexcept>

namespace {

using namespace pycgid;
using std::chrono::milliseconds;

TEST_CASE("task guard: any exception is logged with its reason and ends one task", "[master]") {
  CapturedLog log(LogLevel::notice);
  TaskGuard guard;
  CHECK(guard.run("count", [] {}));
  CHECK(log.text().empty());
  CHECK_FALSE(guard.run("read messages", [] { throw std::runtime_error("on purpose"); }));
  CHECK(log.text().find(": cannot read messages: on purpose; going on") != std::string::npos);
  CHECK_FALSE(guard.run("reload", [] { fail_start(ExitStatus::system, "no descriptor"); }));
  CHECK(log.text().find("cannot reload: no descriptor; going on") != std::string::npos);
  CHECK_FALSE(guard.run("reload", [] { throw std::bad_alloc(); }));
  CHECK_FALSE(log.text().empty());
  CHECK_FALSE(guard.run("reload", [] { throw 1; }));
  CHECK(log.text().find("unknown exception") != std::string::npos);
}

TEST_CASE("task guard: the same failure is not logged at every turn", "[master]") {
  CapturedLog log(LogLevel::notice);
  TaskGuard guard;
  const auto fail = [] { throw std::runtime_error("again"); };
  guard.run("wait", fail);
  CHECK_FALSE(log.text().empty());
  guard.run("wait", fail);
  CHECK(log.text().empty());
}

TEST_CASE("task guard: a failure is followed by one pause", "[master]") {
  CapturedLog log(LogLevel::notice);
  TaskGuard guard;
  CHECK(guard.take_pause() == milliseconds(0));
  guard.run("wait", [] { throw std::runtime_error("again"); });
  CHECK(guard.take_pause() > milliseconds(0));
  CHECK(guard.take_pause() == milliseconds(0));
}

}  // namespace
