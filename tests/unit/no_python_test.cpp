// Programs that option "python" names and that are no Python.
#include "tests/unit/pool_stage.h"

namespace {

using namespace pycgid;
using namespace supervisor_test;

TEST_CASE("supervisor: what ends by itself before it has begun is no Python", "[master]") {
  Stage stage;
  stage.pool.boot(stage.now);
  SECTION("without a word") {
    stage.die(1001, kExit1);
    REQUIRE(stage.pool.start_failure());
    CHECK(stage.pool.start_failure()->status == ExitStatus::configuration);
    CHECK(stage.pool.start_failure()->text.starts_with("\"python3\" is no Python (option"));
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

}  // namespace
