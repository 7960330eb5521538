// How requests end: failures, close(), clients that go away.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

using pyhost::BodyMode;
using pyhost_test::Answer;
using pyhost_test::Request;
using pyhost_test::Worker;

namespace {

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

}  // namespace

TEST_CASE("failure: before the first block nothing of the head has left", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/fails?x=1"});
  CHECK(answer.head.empty());
  CHECK(answer.body.empty());
  CHECK(answer.failed);
  const std::string log = worker.wait_log("LookupError: the reason\n");
  CHECK(count(log,
              "\x01"
              "Etest-1\x01GET /fails?x=1: the application failed\n") == 1);
  CHECK(count(log,
              "\x01"
              "Etest-1\x01Traceback (most recent call last):\n") == 1);
}

TEST_CASE("failure: after the first block the answer is cut", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/fails_late"});
  CHECK(answer.body == "begun");
  CHECK(answer.ended);
  CHECK(answer.failed);
  worker.wait_log("LookupError: in the middle\n");
  CHECK(count(worker.wait_log("closed\n"), "closed\n") == 1);
}

TEST_CASE("failure: a request's own words cannot forge a line", "[pyhost]") {
  Worker worker;
  worker.ask({.path = "/fails/\n\x01"
                      "E\x01"
                      "forged"});
  CHECK(count(worker.wait_log("LookupError"),
              "GET /fails/%0A%01E%01forged: the application failed\n") == 1);
}

TEST_CASE("failure: W22: what would end a program ends one request", "[pyhost]") {
  Worker worker;
  for (const std::string name : {"SystemExit", "KeyboardInterrupt"}) {
    CHECK(worker.ask({.path = "/ends", .variables = {{"QUERY_STRING", name}}}).failed);
    worker.wait_log(name);
  }
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("failure: an exception that cannot be printed", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/unprintable"}).failed);
  worker.wait_log("Unprintable");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("close: W12: runs once, after the end has been sent", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/closes", .mode = BodyMode::ring});
  const Answer answer = worker.wait(slot, [](const Answer& so_far) { return so_far.ended; });
  CHECK(answer.body == "all");
  CHECK(worker.gateway().phase(slot) == pyhost::Phase::taken);
  worker.gateway().write_body(slot, "the end\n");
  worker.gateway().end_body(slot, true);
  worker.finish(slot);
  CHECK(count(worker.wait_log("closed after"), "closed after b'the end\\n'\n") == 1);
}

TEST_CASE("close: W12: its exception is logged and costs nobody anything", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/close_fails"});
  CHECK(answer.body == "fine");
  CHECK(!answer.failed);
  worker.wait_log("GET /close_fails: close() of the response failed\n");
  worker.wait_log("LookupError: in close\n");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("close: W12: an attribute that is None is not called", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/close_is_none"}).body == "fine");
  CHECK(worker.stop() == 0);
  CHECK(worker.wait_log("").find("TypeError") == std::string::npos);
}

TEST_CASE("abort: W17: iteration stops, close() runs, nothing is an error", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/endless"});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().abort(slot);
  worker.wait_done_unread(slot);
  const std::string log = worker.wait_log("closed\n");
  CHECK(count(log, "closed\n") == 1);
  CHECK(count(log,
              "\x01"
              "Dtest-1\x01GET /endless: the client is gone\n") == 1);
  CHECK(count(log,
              "\x01"
              "E") == 0);
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("abort: W17: the next block is the last, whether there is room or not", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/carries_on", .mode = BodyMode::ring});
  worker.wait(slot, [](const Answer& answer) { return answer.body == "first"; });
  worker.gateway().abort(slot);
  worker.wait_done_unread(slot);
  CHECK(count(worker.wait_log("the client is gone\n"), "carried on") == 0);
}

TEST_CASE("abort: W17: in the middle of a large block", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/large", .variables = {{"QUERY_STRING", "8"}}});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().abort(slot);
  worker.wait_done_unread(slot);
  worker.wait_log("GET /large: the client is gone\n");
}

TEST_CASE("abort: W17: write() raises, and that is no error either", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/endless_write"});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().abort(slot);
  worker.wait_done_unread(slot);
  CHECK(count(worker.wait_log("the client is gone\n"),
              "\x01"
              "E") == 0);
}

TEST_CASE("satisfied: an application goes on to its end, and nothing is an error", "[pyhost]") {
  const std::pair<std::string, std::string> applications[] = {{"/carries_on", "carried on\n"},
                                                              {"/commits_late", "committed\n"}};
  for (const auto& [path, last] : applications) {
    Worker worker;
    const auto slot = worker.submit({.path = path, .mode = BodyMode::ring});
    worker.wait(slot, [](const Answer& answer) { return answer.body == "first"; });
    worker.gateway().satisfy(slot);
    worker.wait_done_unread(slot);
    const std::string log = worker.wait_log(last);
    CHECK(count(log, "the client is gone") == 0);
    CHECK(count(log,
                "\x01"
                "E") == 0);
    CHECK(worker.ask({.path = "/one"}).body == "one block");
  }
}

TEST_CASE("satisfied: a stream without an end is stopped and closed", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/endless"});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().satisfy(slot);
  worker.wait_done_unread(slot);
  const std::string log = worker.wait_log("closed\n");
  CHECK(count(log, "closed\n") == 1);
  CHECK(count(log, "the client is gone") == 0);
}

TEST_CASE("satisfied: in the middle of a large block", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/large", .variables = {{"QUERY_STRING", "8"}}});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().satisfy(slot);
  worker.wait_done_unread(slot);
  CHECK(worker.ask({.path = "/one"}).body == "one block");
  CHECK(worker.stop() == 0);
  CHECK(count(worker.wait_log(""), "the client is gone") == 0);
}

TEST_CASE("satisfied: one that writes for ever is ended in time, and that is no error",
          "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/endless_write"});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().satisfy(slot);
  worker.wait_done_unread(slot);
  CHECK(count(worker.wait_log("the client is gone\n"),
              "\x01"
              "E") == 0);
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("satisfied: RequestTimeout ends one that writes for ever", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/endless_write"});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().satisfy(slot);
  worker.gateway().demand(slot, pyhost::Demand::timeout);
  worker.wait_done_unread(slot);
  worker.wait_log("GET /endless_write: ended by pycgid.RequestTimeout\n");
}

TEST_CASE("fork: a child that returns from the application answers nothing", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/forks"});
  CHECK(answer.body == "the parent");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}
