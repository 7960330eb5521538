// Programs that option "python" names and that are no Python.
#include "daemon/master/path_problem.h"
#include "tests/unit/pool_stage.h"

#include <cerrno>

namespace {

using namespace pycgid;
using namespace supervisor_test;

TEST_CASE("supervisor: what ends by itself before it has begun is told by its status", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  SECTION("content with nothing: no Python, ever") {
    stage.die(1001, 0);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->status == ExitStatus::configuration);
    CHECK(stage.pool.start_failure()->text.starts_with(
        "blog/1[1001] exited with status 0 without running a line of pycgid's boot.py: "
        "\"python3\" is no Python 3.11 or later (option \"python\"), a wrapper"));
  }
  SECTION("with an error, whatever its status: it may work later") {
    stage.die(1001, 78 << 8);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->status == ExitStatus::temporary);
    CHECK(stage.pool.start_failure()->text.starts_with("blog/1[1001] exited with status "));
  }
  SECTION("but not once it has") {
    stage.say(1001, "beg");
    stage.say(1001, "un\n");
    stage.die(1001, kExit1);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->status == ExitStatus::temporary);
    CHECK(stage.pool.start_failure()->text ==
          "blog/1[1001] exited with status 1 before it was ready");
  }
  SECTION("and what it says then is heard") {
    stage.say(1001, "begun\nerror 71 no room\n");
    stage.die(1001, kExit1);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->status == ExitStatus::system);
    CHECK(stage.pool.start_failure()->text == "no room");
  }
}

TEST_CASE("start: what the system lacks now may be there later", "[master]") {
  for (const int error : {ENOENT, ENOEXEC, EACCES, ENOTDIR}) {
    CHECK(status_of(error) == ExitStatus::configuration);
  }
  for (const int error : {ENOMEM, EIO, ETXTBSY, EAGAIN, ENFILE, ESTALE, ENOTCONN}) {
    CHECK(status_of(error) == ExitStatus::temporary);
  }
}

}  // namespace
