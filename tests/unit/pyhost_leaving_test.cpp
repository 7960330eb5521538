// The end of a worker: what the application is told of it, and what is done then.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

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
