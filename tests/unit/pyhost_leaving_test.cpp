// The end of a worker: what the application is told of it, and what is done then.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

#include <chrono>

using pyhost::BodyMode;
using pyhost_test::Worker;

TEST_CASE("leaving: the application can ask whether its worker is to end", "[pyhost]") {
  Worker worker({.app = "leaving"});
  CHECK(worker.ask({}).body == "True False");
  worker.gateway().announce_end();
  CHECK(worker.ask({}).body == "True True");
  CHECK(worker.stop() == 0);
}

TEST_CASE("leaving: functions of at_exit are called, and what fails is told", "[pyhost]") {
  Worker worker({.app = "leaving", .threads = 2});
  REQUIRE(worker.status_line() == "ready\n");
  CHECK(worker.stop() == 0);
  const std::string log = worker.wait_log("");
  const std::size_t last = log.find("registered last\n");
  const std::size_t failed = log.find("fail failed, which was registered by pycgid.at_exit\n");
  const std::size_t first = log.find("registered first!\n");
  const std::size_t at_exit = log.find("atexit has run\n");
  CHECK((last < failed && failed < first && first < at_exit && at_exit != std::string::npos));
  CHECK(log.find("LookupError: at the end\n") != std::string::npos);
}

TEST_CASE("leaving: threads that keep the worker from ending are named", "[pyhost]") {
  Worker worker({.app = "leaving", .cleanup_time = 1000});
  CHECK(worker.ask({.path = "/leaves_thread"}).body == "True False");
  worker.gateway().stop();
  worker.wait_log("registered first!\n");
  worker.gateway().announce_overdue();
  const std::string log = worker.wait_log("or make them daemons\n");
  CHECK(log.find("keep the worker from ending: \"jobs\" (") != std::string::npos);
  CHECK(log.find("ends by at_exit") == std::string::npos);
  worker.wait_log("atexit has run\n");
  CHECK(worker.wait_exit() == 0);
}

TEST_CASE("leaving: what the threads were given lives on when serve() has returned", "[pyhost]") {
  Worker worker({.app = "given", .threads = 2});
  CHECK(worker.ask({}).head.find("200 OK") != std::string::npos);
  CHECK(worker.stop() == 0);
  const std::string log = worker.wait_log("");
  for (const std::string name : {"application", "constants", "start_threads", "leave_beside"}) {
    CHECK(log.find(name + " is there\n") != std::string::npos);
  }
}

// The request ends when half of the time is over, as its input does then. What is left of the time
// is shared by the threads and atexit: the master would kill the worker at its end.
TEST_CASE("leaving: threads are named, and atexit runs, after a request that ended late",
          "[pyhost]") {
  constexpr std::chrono::milliseconds kCleanup{6000};
  Worker worker({.app = "leaving", .cleanup_time = kCleanup.count()});
  CHECK(worker.ask({.path = "/leaves_thread"}).body == "True False");
  worker.submit({.path = "/reads", .mode = BodyMode::ring});
  worker.wait_log("reading\n");
  worker.gateway().stop();
  const auto cut = std::chrono::steady_clock::now();
  worker.gateway().announce_overdue();
  worker.wait_log("keep the worker from ending: \"jobs\" (");
  worker.wait_log("atexit has run\n");
  CHECK(worker.wait_exit() == 0);
  CHECK(std::chrono::steady_clock::now() - cut < kCleanup);
}

TEST_CASE("leaving: threads of the application are told from requests that do not end",
          "[pyhost]") {
  Worker worker({.app = "leaving", .threads = 2, .cleanup_time = 400});
  CHECK(worker.ask({.path = "/leaves_thread"}).body == "True False");
  worker.submit({.path = "/stuck"});
  worker.wait_log("stuck\n");
  worker.gateway().stop();
  worker.gateway().announce_overdue();
  worker.wait_log("atexit has run\n");
  CHECK(worker.wait_exit() == 0);
  const std::string log = worker.wait_log("requests that do not end are left behind: \"");
  const std::size_t requests = log.find("requests that do not end are left behind: \"");
  const std::size_t others = log.find("; threads of the application that still run: \"");
  REQUIRE((requests < others && others < log.find(" (option \"stop-timeout\")\n", others)));
  CHECK(log.find("in wait)", requests) < others);
  CHECK(log.find("\"jobs\" (", requests) > others);
  CHECK(log.find("\"jobs\" (", requests) < log.find('\n', others));
}
