// Requests that the gateway cuts while they run, and processes that they fork: what the application
// sees of it, and what the log does.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

using pyhost::BodyMode;
using pyhost::Demand;
using pyhost_test::Answer;
using pyhost_test::Request;
using pyhost_test::Worker;

namespace {

// A worker with one request that is to be cut, and another one beside it.
class Cut {
 public:
  explicit Cut(const Request& request)
      : slot_(worker.submit(request)), beside_(worker.submit({.path = "/waits"})) {
    worker.wait_log("waiting\n");
  }

  void wait_body() {
    worker.wait(slot_, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  }
  std::uint32_t slot() const { return slot_; }
  void abort() { worker.gateway().abort(slot_); }
  // Returns when the exception, should there be one, is on its way: demands are carried out one
  // after the other.
  void time_out() {
    worker.gateway().demand(slot_, Demand::timeout);
    worker.wait_log(": stack, most recent call first");
    worker.gateway().demand(beside_, Demand::stack);
    worker.wait_log("GET /waits: stack, most recent call first");
  }
  // Both go on; returns the log as it is when they have ended, and the worker with them.
  std::string go_on() {
    worker.ask({.path = "/lets_go_on"});
    worker.wait_done_unread(slot_);
    worker.finish(beside_);
    CHECK(worker.stop() == 0);
    return worker.wait_log("");
  }
  bool failed() {
    worker.ask({.path = "/lets_go_on"});
    return worker.finish(slot_).failed;
  }

  Worker worker{{.threads = 4}};

 private:
  std::uint32_t slot_;
  std::uint32_t beside_;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// The child's exit status, as its parent saw it.
std::string child_status(Worker& worker, const std::string& path, const std::string& query = "") {
  return worker.ask({.path = path, .variables = {{"QUERY_STRING", query}}}).body;
}

}  // namespace

TEST_CASE("timeout: close() of a request that was cut is left alone", "[pyhost]") {
  Cut cut({.path = "/yields_for_ever"});
  cut.wait_body();
  cut.abort();
  cut.worker.wait_log("cleaning up\n");
  cut.time_out();
  const std::string log = cut.go_on();
  CHECK(has(log, "released\n"));
  CHECK(!has(log, "RequestTimeout"));
}

TEST_CASE("timeout: an exception on its way does not arrive in close()", "[pyhost]") {
  Cut cut({.path = "/yields_for_ever"});
  cut.wait_body();
  // The thread waits for room, where no exception arrives.
  cut.time_out();
  cut.abort();
  cut.worker.wait_log("cleaning up\n");
  const std::string log = cut.go_on();
  CHECK(has(log, "released\n"));
  CHECK(!has(log, "RequestTimeout"));
}

TEST_CASE("timeout: what write() and read() told that the client is gone cleans up", "[pyhost]") {
  for (const std::string way : {"/writes_for_ever", "/reads_for_ever"}) {
    for (const bool early : {false, true}) {
      Cut cut({.path = way, .mode = BodyMode::ring});
      if (way == "/writes_for_ever") cut.wait_body();
      if (way == "/reads_for_ever") cut.worker.wait_log("reading\n");
      if (early) cut.time_out();
      cut.abort();
      cut.worker.wait_log("cleaning up\n");
      if (!early) cut.time_out();
      const std::string log = cut.go_on();
      CHECK(has(log, "released\n"));
      CHECK(!has(log, "RequestTimeout"));
      CHECK(has(log, "GET " + way + ": the client is gone\n"));
    }
  }
}

TEST_CASE("timeout: a request that hears of another's cut is interrupted still", "[pyhost]") {
  Cut cut({.path = "/lends_write"});
  cut.worker.wait(cut.slot(), [](const Answer& answer) { return answer.body == "lent"; });
  cut.abort();
  const auto borrower = cut.worker.submit({.path = "/uses_lent_write"});
  cut.worker.wait_log("lent: ClientGone\n");
  cut.worker.gateway().demand(borrower, Demand::timeout);
  cut.worker.wait_log("GET /uses_lent_write: ended by pycgid.RequestTimeout\n");
  cut.worker.wait_done_unread(borrower);
  cut.go_on();
}

TEST_CASE("timeout: a request ends while what interrupts it runs a finalizer", "[pyhost]") {
  Worker worker({.threads = 2});
  const auto slot = worker.submit({.path = "/ends_while_garbage_is_collected"});
  worker.wait_log("waiting for a collection\n");
  worker.gateway().demand(slot, Demand::timeout);
  worker.finish(slot);
  CHECK(worker.ask({.path = "/lets_go_on"}).body == "now");
  CHECK(worker.stop() == 0);
}

TEST_CASE("timeout: a whole answer's close() is ended", "[pyhost]") {
  Cut cut({.path = "/closes_slowly"});
  cut.worker.wait_log("cleaning up\n");
  cut.time_out();
  cut.worker.wait_log("GET /closes_slowly: close() of the response failed\n");
  CHECK(!has(cut.go_on(), "released\n"));
}

TEST_CASE("timeout: nothing of ours swallows it", "[pyhost]") {
  Cut cut({.path = "/length_takes_long"});
  cut.worker.wait_log("looking for the length\n");
  cut.time_out();
  CHECK(cut.failed());
  cut.worker.wait_log("GET /length_takes_long: ended by pycgid.RequestTimeout\n");
}

TEST_CASE("failure: SystemExit comes through wherever it is raised", "[pyhost]") {
  Worker worker;
  for (const std::string path : {"/length_exits", "/file_exits"}) {
    CHECK(worker.ask({.path = path}).failed);
    worker.wait_log("GET " + path + ": the application failed\n");
  }
  worker.wait_log("SystemExit: from fileno\n");
}

TEST_CASE("abort: a fault of the application's is told, gone client or not", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/fails_when_cut"});
  worker.wait(slot, [](const Answer& answer) { return answer.body.size() > 1 << 20; });
  worker.gateway().abort(slot);
  worker.wait_done_unread(slot);
  worker.wait_log("GET /fails_when_cut: the application failed\n");
  worker.wait_log("FileNotFoundError: a fault of mine\n");
}

TEST_CASE("fork: the child's exit status is its own", "[pyhost]") {
  Worker worker;
  CHECK(child_status(worker, "/child_exits", "3") == "3");
  worker.wait_log("an unterminated line\n");
  CHECK(child_status(worker, "/child_exits", "0") == "0");
  CHECK(child_status(worker, "/child_exits", "-1") == "255");
  CHECK(child_status(worker, "/child_exits_with_words") == "1");
  worker.wait_log("in the child's words\n");
  CHECK(child_status(worker, "/child_returns") == "0");
  CHECK(child_status(worker, "/iteration_forks") == "the child ended with 7");
  worker.ask({.path = "/forks_in_close"});
  worker.wait_log("close's child: 5\n");
}

TEST_CASE("fork: the child's exception is told", "[pyhost]") {
  Worker worker;
  CHECK(child_status(worker, "/child_fails") == "1");
  worker.wait_log("GET /child_fails: the application failed in a process that it forked (process ");
  worker.wait_log("LookupError: in the child\n");
}
