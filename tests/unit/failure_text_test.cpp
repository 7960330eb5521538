// Reasons of failed starts, with and without what differs at each attempt.
#include "daemon/master/failure_text.h"

#include "tests/unit/catch.h"

#include <new>
#include <stdexcept>

namespace {

using namespace pycgid;

TEST_CASE("a reason that differs in a process or an address only is the same") {
  const auto bare = without_numbers_of_processes;
  CHECK(bare("blog/1[17] exited with status 3") == bare("blog/1[4711] exited with status 3"));
  CHECK(bare("in use by process 7 (nginx)") == bare("in use by process 88 (nginx)"));
  CHECK(bare("<Db object at 0x7f1a>") == bare("<Db object at 0x55B0>"));
  CHECK(bare("blog/1[17]") != bare("blog/2[17]"));
  CHECK(bare("status 3") != bare("status 4"));
  CHECK(bare("").empty());
  CHECK(bare("process 12") == "process ");
}

TEST_CASE("whatever a task throws is a reason") {
  CHECK_FALSE(failure_of([] {}));
  CHECK(failure_of([] { fail_start(ExitStatus::usage, "why"); })->text == "why");
  CHECK(failure_of([] { throw std::runtime_error("odd"); })->text == "odd");
  CHECK(failure_of([] { throw std::bad_alloc(); })->status == ExitStatus::system);
}

}  // namespace
