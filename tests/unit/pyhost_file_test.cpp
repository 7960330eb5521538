// wsgi.file_wrapper: which files the gateway sends by itself, and which are read.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

using pyhost_test::Answer;
using pyhost_test::Request;
using pyhost_test::Worker;

namespace {

Answer wrapped(Worker& worker, const std::string& kind,
               std::vector<std::pair<std::string, std::string>> variables = {}) {
  variables.emplace_back("QUERY_STRING", kind);
  return worker.ask({.path = "/wrapped", .variables = std::move(variables)});
}

}  // namespace

TEST_CASE("file: W16: real files go as descriptors", "[pyhost]") {
  Worker worker;
  for (const std::string kind : {"real", "watched", "named"}) {
    const Answer answer = wrapped(worker, kind);
    CHECK(answer.body == "0123456789");
    CHECK(answer.files == 1);
    CHECK(answer.blocks == 0);
    CHECK(answer.header("Content-Length") == "Content-Length: 10");
  }
}

TEST_CASE("file: W16: what is no plain file is read", "[pyhost]") {
  Worker worker;
  for (const std::string kind : {"memory", "compressed", "buffered_compressed", "pipe"}) {
    const Answer answer = wrapped(worker, kind);
    CHECK(answer.body == "0123456789");
    CHECK(answer.files == 0);
    CHECK(answer.blocks == 3);
    CHECK(!answer.failed);
  }
}

TEST_CASE("file: W16: begins at the file's position", "[pyhost]") {
  Worker worker;
  for (const std::string kind : {"real@7", "watched@7", "memory@7"}) {
    CHECK(wrapped(worker, kind).body == "789");
  }
  const Answer beyond = wrapped(worker, "real@20");
  CHECK(beyond.body.empty());
  CHECK(beyond.header("Content-Length") == "Content-Length: 0");
  CHECK(!beyond.failed);
}

TEST_CASE("file: W13, W16: ends at the Content-Length", "[pyhost]") {
  Worker worker;
  const Answer answer = wrapped(worker, "real@2", {{"HTTP_LENGTH", "3"}});
  CHECK(answer.body == "234");
  CHECK(answer.files == 1);
  CHECK(answer.header("Content-Length") == "Content-Length: 3");
}

TEST_CASE("file: W16: a middleware that wraps the wrapper is honoured", "[pyhost]") {
  Worker worker;
  const Answer answer = wrapped(worker, "real", {{"HTTP_MIDDLEWARE", "1"}});
  CHECK(answer.body == "0123456789");
  CHECK(answer.files == 0);
}

TEST_CASE("file: W12: the wrapper's close() closes the file", "[pyhost]") {
  Worker worker;
  wrapped(worker, "watched");
  worker.wait_log("file closed\n");
}
