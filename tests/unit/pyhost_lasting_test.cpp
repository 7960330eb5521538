// Threads and processes of the application that go on with what a request gave them:
// start_response, write() and wsgi.input are safe from any thread at any time, and never reach
// another request.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

#include <map>

using pyhost::BodyMode;
using pyhost_test::Answer;
using pyhost_test::Worker;

namespace {

std::string answer_to_query(Worker& worker, const std::string& path, const std::string& query) {
  return worker.ask({.path = path, .variables = {{"QUERY_STRING", query}}}).body;
}

// How many blocks of `size` equal letters there are of each; none at all if one is not whole.
std::map<char, int> whole_blocks(std::string_view body, std::size_t size) {
  std::map<char, int> found;
  for (; body.size() >= size; body.remove_prefix(size)) {
    if (body.substr(0, size).find_first_not_of(body[0]) != std::string_view::npos) return {};
    ++found[body[0]];
  }
  return found;
}

}  // namespace

TEST_CASE("lasting: a thread that writes on does not reach the slot's next request", "[pyhost]") {
  Worker worker;
  for (int i = 0; i < 100; ++i) {
    worker.ask({.path = "/writes_on"});
    const Answer next = worker.ask({.path = "/one"});
    REQUIRE(next.head.find("LATE") == std::string::npos);
    REQUIRE(next.body == "one block");
  }
  worker.wait_log(
      "refused: RuntimeError: start_response or write() was called after the end of its request");
}

TEST_CASE("lasting: blocks of threads that write at once stay whole", "[pyhost]") {
  Worker worker({.threads = 2});
  for (const std::size_t size : {7UL, 50'000UL, 300'000UL}) {
    const std::string body =
        answer_to_query(worker, "/write_together", "20x" + std::to_string(size));
    CHECK(whole_blocks(body, size) ==
          std::map<char, int>{{'a', 20}, {'b', 20}, {'c', 20}, {'d', 20}});
    CHECK(body.size() == 80 * size + 1);
    CHECK(body.back() == '.');
  }
}

TEST_CASE("lasting: the end of a request waits for a thread that is in write()", "[pyhost]") {
  Worker worker;
  const auto slot =
      worker.submit({.path = "/writes_at_the_end", .variables = {{"QUERY_STRING", "1000000"}}});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1; });
  const Answer answer = worker.finish(slot);
  CHECK(answer.body == "<" + std::string(1'000'000, 'x'));
  CHECK((answer.ended && !answer.failed));
}

TEST_CASE("lasting: an abort ends a request whose thread is in write()", "[pyhost]") {
  Worker worker;
  const auto slot =
      worker.submit({.path = "/writes_at_the_end", .variables = {{"QUERY_STRING", "1000000"}}});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1; });
  worker.gateway().abort(slot);
  worker.wait_done_unread(slot);
  worker.wait_log("refused: ClientGone\n");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("lasting: a header that calls start_response when it is shown", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/starts_inside"});
  CHECK(answer.header("Status") == "Status: 200 OK");
  CHECK(answer.body.substr(0, 12) == "from inside ");
}

TEST_CASE("lasting: one of several threads that call start_response is the first", "[pyhost]") {
  Worker worker;
  for (int i = 0; i < 20; ++i) {
    const Answer answer = worker.ask({.path = "/starts_together"});
    REQUIRE(answer.body.substr(1) == " second second second second second second second");
    CHECK(answer.header("Status") == "Status: 200 Thread " + answer.body.substr(0, 1));
    CHECK(answer.header("X-Number").size() == 20 * std::string("X-Number: 1").size());
  }
}

TEST_CASE("lasting: what write() sent is no part of a single block's length", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/write_and_one"});
  CHECK(answer.body == "written and one");
  CHECK(answer.header("Content-Length").empty());
}

TEST_CASE("lasting: a fork reads its request's body while that runs, never another's", "[pyhost]") {
  for (const BodyMode mode : {BodyMode::inlined, BodyMode::file, BodyMode::ring}) {
    Worker worker;
    const auto slot = worker.submit({.path = "/forks_reader", .mode = mode, .body = "the body"});
    if (mode == BodyMode::ring) worker.gateway().end_body(slot, true);
    CHECK(worker.finish(slot).body == "the body");
    worker.wait_log(mode == BodyMode::ring ? "child refused: I/O" : "child read b'the '\n");
    CHECK(worker.ask({.path = "/lets_fork_read", .mode = mode, .body = "SECRET!!"}).body == "go");
    const std::string log = worker.wait_log(" late");
    CHECK(log.find("SECRET") == std::string::npos);
    worker.wait_log("child refused late: I/O operation on closed file");
  }
}
