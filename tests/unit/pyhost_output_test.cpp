// What an application prints, and how it reaches the log.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

using pyhost_test::Request;
using pyhost_test::Worker;

namespace {

const std::string kLine =
    "\x01"
    "Ntest-1\x01";

}  // namespace

TEST_CASE("output: line by line, with the request that wrote it", "[pyhost]") {
  Worker worker;
  worker.ask({.path = "/prints"});
  const std::string log = worker.wait_log("unfinished\n");
  CHECK(log == kLine + "by print\n" + kLine + "to stderr\n" + kLine + "by errors \xE2\x82\xAC\n" +
                   kLine + "lone \\ud800\n" + kLine + "other half\n" + kLine + "half line\n" +
                   kLine + "unfinished\n");
}

TEST_CASE("output: sys.stdout and sys.stderr are whole text streams", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/stream_kinds"}).body ==
        R"([1, 2, false, "utf-8", "backslashreplace", "<stdout>", true, false, true, false])");
}

TEST_CASE("output: a stream that is detached or replaced is not lost to the others", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/detaches_streams"}).body == "still here");
  const std::string log = worker.wait_log("to the original stdout\n");
  CHECK(log == kLine + "to the new stdout \xE4\n" + kLine + "to the new stderr \xC3\xA4\n" + kLine +
                   "to the old stdout\n" + kLine + "to the old stderr\n" + kLine +
                   "to wsgi.errors\n" + kLine + "to wsgi.errors again\n" + kLine +
                   "to the original stderr\n" + kLine + "to the original stdout\n");
  CHECK(worker.ask({.path = "/prints"}).body == "printed");
}

TEST_CASE("output: a long line stays one", "[pyhost]") {
  Worker worker;
  worker.ask({.path = "/prints_much"});
  worker.ask({.path = "/prints"});
  const std::string log = worker.wait_log("unfinished\n");
  REQUIRE(log.starts_with(kLine));
  CHECK(log.find('\n') == kLine.size() + 9000);
}

TEST_CASE("output: W6: wsgi.errors is of use after the request and in other threads", "[pyhost]") {
  Worker worker;
  worker.ask({.path = "/errors_from_thread"});
  worker.ask({.path = "/lets_thread_go_on"});
  worker.wait_log(
      "\x01N\x01"
      "from a thread\n");
}
