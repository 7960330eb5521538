// wsgi.input over each kind of body.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

#include <array>

using pyhost::BodyMode;
using pyhost_test::Answer;
using pyhost_test::Request;
using pyhost_test::Worker;

namespace {

constexpr std::array kModes = {BodyMode::inlined, BodyMode::ring, BodyMode::file};

// What the calls return, as JSON.
std::string reads(Worker& worker, BodyMode mode, const std::string& body,
                  const std::string& calls) {
  const auto slot = worker.submit({.path = "/reads",
                                   .method = "POST",
                                   .variables = {{"HTTP_CALLS", calls}},
                                   .mode = mode,
                                   .body = body});
  if (mode == BodyMode::ring) worker.gateway().end_body(slot, true);
  return worker.finish(slot).body;
}

}  // namespace

TEST_CASE("input: W5: read(size) up to the end and beyond", "[pyhost]") {
  Worker worker;
  for (const BodyMode mode : kModes) {
    CHECK(reads(worker, mode, "0123456789",
                R"([["read", 4], ["read", 0], ["read", 100], ["read", 1], ["read"]])") ==
          R"(["0123", "", "456789", "", ""])");
    CHECK(reads(worker, mode, "0123456789", R"([["read", 1], ["read", -1], ["read", -1]])") ==
          R"(["0", "123456789", ""])");
    CHECK(reads(worker, mode, "0123456789", R"([["read", null], ["readline"]])") ==
          R"(["0123456789", ""])");
  }
}

TEST_CASE("input: W5: without a body all reads are empty", "[pyhost]") {
  Worker worker;
  CHECK(reads(worker, BodyMode::none, "",
              R"([["read"], ["read", 5], ["readline"], ["readlines"], ["iterate"]])") ==
        R"(["", "", "", [], []])");
}

TEST_CASE("input: W5: readline with and without a size", "[pyhost]") {
  Worker worker;
  for (const BodyMode mode : kModes) {
    CHECK(reads(worker, mode, "one\ntwo\n\nthree",
                R"([["readline"], ["readline", 2], ["readline", 10], ["readline", 0],)"
                R"( ["readline"], ["readline", -1], ["readline"]])") ==
          R"(["one\n", "tw", "o\n", "", "\n", "three", ""])");
  }
}

TEST_CASE("input: W5: readlines and iteration", "[pyhost]") {
  Worker worker;
  for (const BodyMode mode : kModes) {
    CHECK(reads(worker, mode, "a\nb\nc", R"([["readlines"], ["readlines"]])") ==
          R"([["a\n", "b\n", "c"], []])");
    CHECK(reads(worker, mode, "a\nb\nc", R"([["readlines", 3], ["readlines", 0]])") ==
          R"([["a\n", "b\n"], ["c"]])");
    CHECK(reads(worker, mode, "a\nb\nc", R"([["read", 1], ["iterate"]])") ==
          R"(["a", ["\n", "b\n", "c"]])");
  }
}

TEST_CASE("input: a line that is longer than what is read ahead", "[pyhost]") {
  Worker worker;
  const std::string line = std::string(100'000, 'x') + "\n";
  for (const BodyMode mode : {BodyMode::inlined, BodyMode::file}) {
    CHECK(reads(worker, mode, line + "rest", R"([["readline"], ["read", 2], ["read"]])") ==
          "[\"" + std::string(100'000, 'x') + "\\n\", \"re\", \"st\"]");
  }
}

TEST_CASE("input: a ring body of unknown length, as it comes", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/checksum", .mode = BodyMode::ring});
  worker.send_body(slot, std::string(500'000, 'p'));
  worker.gateway().end_body(slot, true);
  CHECK(worker.finish(slot).body ==
        "55ad8da91b524b832f11ddce37609c39f3d875900e30726f075d091fcbda87c9");
}

TEST_CASE("input: a body that breaks off raises OSError, which is no error of ours", "[pyhost]") {
  Worker worker;
  const auto slot =
      worker.submit({.path = "/reads_broken", .mode = BodyMode::ring, .body = "half"});
  worker.gateway().end_body(slot, false);
  CHECK(worker.finish(slot).failed);
  const std::string log = worker.wait_log("the client is gone");
  CHECK(log.find("ClientGone, ConnectionAbortedError: the request's body ended before it was "
                 "whole") != std::string::npos);
  CHECK(log.find("Traceback") == std::string::npos);
}

TEST_CASE("input: an aborted request ends a waiting read", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/stepwise", .mode = BodyMode::ring});
  worker.wait(slot, [](const Answer& answer) { return answer.body == "first"; });
  worker.gateway().abort(slot);
  worker.wait_done_unread(slot);
  worker.wait_log("the client is gone");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("input: a thread that still reads keeps the next request out of the slot", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/reads_in_thread", .mode = BodyMode::ring});
  worker.gateway().write_body(slot, "first\n");
  worker.wait(slot, [](const Answer& answer) { return answer.ended; });
  CHECK(worker.gateway().phase(slot) == pyhost::Phase::taken);
  worker.gateway().write_body(slot, "second\n");
  worker.gateway().end_body(slot, true);
  CHECK(worker.finish(slot).body == "answered");
  worker.wait_log("thread read b'second\\n'");
}

TEST_CASE("input: W18: a body that nobody reads is in nobody's way", "[pyhost]") {
  Worker worker;
  for (const BodyMode mode : kModes) {
    CHECK(worker.ask({.path = "/one", .mode = mode, .body = "unread"}).body == "one block");
    CHECK(reads(worker, mode, "mine", R"([["read"]])") == R"(["mine"])");
  }
}
