// Where memory is short, for sizes that clients and applications choose: the request fails, with
// the reason in the log, and the worker lives.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

using pyhost::BodyMode;
using pyhost_test::Answer;
using pyhost_test::Worker;

namespace {

// A sanitizer takes more address space than any limit leaves.
bool limits_work() {
  return *PYHOST_TEST_PRELOAD == '\0';
}

}  // namespace

TEST_CASE("memory: too little for a line of the body fails the request", "[pyhost]") {
  if (!limits_work()) return;
  Worker worker;
  const std::string body(64 << 20, 'x');
  const Answer answer = worker.ask({.path = "/reads_long_line",
                                    .variables = {{"CONTENT_LENGTH", std::to_string(body.size())}},
                                    .mode = BodyMode::file,
                                    .body = body});
  CHECK(answer.failed);
  worker.wait_log("MemoryError\n");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("memory: too little for a response's head fails the request", "[pyhost]") {
  if (!limits_work()) return;
  Worker worker;
  for (const std::string path : {"/starts_long_head", "/starts_long_status"}) {
    const Answer answer = worker.ask({.path = path});
    CHECK((answer.failed && answer.head.empty()));
    worker.wait_log("GET " + path + ": the application failed\n");
    worker.wait_log("MemoryError\n");
    CHECK(worker.ask({.path = "/one"}).body == "one block");
  }
}

TEST_CASE("memory: too little for what is printed is the application's to know", "[pyhost]") {
  if (!limits_work()) return;
  Worker worker;
  for (const std::string query : {"", "errors"}) {
    CHECK(worker.ask({.path = "/prints_long_line", .variables = {{"QUERY_STRING", query}}}).body ==
          "too long");
  }
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("memory: without any for the log its entries are cut", "[pyhost]") {
  if (!limits_work()) return;
  Worker worker;
  CHECK(worker.ask({.path = "/hoards"}).body == "hoarding");
  CHECK(worker.ask({.path = "/writes_without_memory"}).body == "written");
  const std::string log = worker.wait_log("... (cut, 60004 bytes more)\n");
  CHECK(log.find("... (cut, 60000 bytes more)\n") < log.find("... (cut, 60004 bytes more)\n"));
  CHECK(worker.ask({.path = "/gives_back"}).body == "given back");
}

TEST_CASE("memory: without any for a traceback the failure is in the log", "[pyhost]") {
  if (!limits_work()) return;
  Worker worker;
  CHECK(worker.ask({.path = "/hoards"}).body == "hoarding");
  CHECK(worker.ask({.path = "/fails_without_memory"}).failed);
  worker.wait_log("GET /fails_without_memory: the application failed");
  CHECK(worker.ask({.path = "/gives_back"}).body == "given back");
}

TEST_CASE("memory: too little for a request's variables fails the request", "[pyhost]") {
  if (!limits_work()) return;
  Worker worker;
  CHECK(worker.ask({.path = "/hoards"}).body == "hoarding");
  const std::string value(50'000, 'v');
  CHECK(worker.ask({.path = "/one", .variables = {{"HTTP_COOKIE", value}}}).failed);
  worker.wait_log("GET /one: the application failed\n");
  worker.wait_log("MemoryError\n");
  CHECK(worker.ask({.path = "/gives_back"}).body == "given back");
  CHECK(worker.ask({.path = "/one", .variables = {{"HTTP_COOKIE", value}}}).body == "one block");
}

TEST_CASE("memory: a long URI is cut in the log", "[pyhost]") {
  Worker worker;
  const std::string path = "/fails?" + std::string(100'000, 'u');
  CHECK(worker.ask({.path = path}).failed);
  worker.wait_log("GET " + path.substr(0, 2048).substr(0, 40));
  const std::string log = worker.wait_log("uuu...: the application failed\n");
  CHECK(log.size() < 10'000);
}
