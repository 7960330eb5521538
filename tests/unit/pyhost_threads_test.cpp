// Threads, signals, the process itself, and how it ends.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

#include <array>
#include <chrono>
#include <csignal>
#include <set>

using namespace std::chrono_literals;
using pyhost_test::Answer;
using pyhost_test::Request;
using pyhost_test::Start;
using pyhost_test::Worker;

namespace {

// The same request three times at once.
std::multiset<std::string> ask_three(Worker& worker, const Request& request) {
  std::array<std::uint32_t, 3> slots;
  for (std::uint32_t& slot : slots) slot = worker.submit(request);
  std::multiset<std::string> bodies;
  for (const std::uint32_t slot : slots) bodies.insert(worker.finish(slot).body);
  return bodies;
}

}  // namespace

TEST_CASE("threads: requests that wait for each other run at once", "[pyhost]") {
  Worker worker({.threads = 3});
  const auto first = ask_three(worker, {.path = "/meets"});
  CHECK(std::set(first.begin(), first.end()).size() == 3);
}

TEST_CASE("threads: W23: call, iteration and close() in one thread", "[pyhost]") {
  Worker worker({.threads = 3});
  const Answer answer = worker.ask({.path = "/thread_of_all"});
  CHECK(answer.header("X-Called-In") == "X-Called-In: " + answer.body);
  worker.wait_log("closed in " + answer.body + "\n");
}

TEST_CASE("threads: children started in any of them can be terminated", "[pyhost]") {
  Worker worker({.threads = 3});
  CHECK(ask_three(worker, {.path = "/terminates_child"}).count("-15") == 3);
}

TEST_CASE("threads: are Threads of Python, and no daemons", "[pyhost]") {
  Worker worker({.app = "threaded", .threads = 3});
  const Request kind{.path = "/kind", .variables = {{"QUERY_STRING", "together"}}};
  CHECK(ask_three(worker, kind) == std::multiset<std::string>{"MainThread _MainThread False True",
                                                              "request-2 Thread False True",
                                                              "request-3 Thread False True"});
}

TEST_CASE("threads: what an application sets for threads holds for them", "[pyhost]") {
  Worker worker({.app = "threaded", .threads = 3});
  const Request size{.path = "/stack_size", .variables = {{"QUERY_STRING", "together"}}};
  CHECK(ask_three(worker, size).count("as wanted") == 2);
  // The main thread was there before.
  const Request alone{.path = "/who_was_profiled", .variables = {{"QUERY_STRING", ""}}};
  CHECK(worker.ask(alone).body == "request-2 request-3");
}

TEST_CASE("threads: what a request starts is waited for at the end", "[pyhost]") {
  Worker worker({.app = "threaded", .threads = 3});
  const Request job{.path = "/job", .variables = {{"QUERY_STRING", "together"}}};
  CHECK(ask_three(worker, job).count("begun") == 3);
  CHECK(worker.stop() == 0);
  const std::string log = worker.wait_log("");
  std::size_t jobs = 0;
  for (std::size_t at = 0; (at = log.find("the job is done\n", at)) != std::string::npos; ++at) {
    ++jobs;
  }
  CHECK(jobs == 3);
}

TEST_CASE("threads: each request begins in the context that the import left", "[pyhost]") {
  Worker worker({.app = "threaded", .threads = 3});
  const Request together{.path = "/context", .variables = {{"QUERY_STRING", "together"}}};
  for (int turn = 0; turn < 3; ++turn) {
    CHECK(ask_three(worker, together).count("imported") == 3);
  }
}

TEST_CASE("threads: one that cannot be started ends the worker, and those before it", "[pyhost]") {
  Worker worker({.app = "threadless", .threads = 4});
  CHECK(worker.status_line() ==
        "error 71 cannot start 4 threads (option \"threads\"): can't start new thread; 1 were "
        "started besides the main one, look at the limits of processes (ulimit -u, TasksMax=) and "
        "of memory\n");
  CHECK(worker.wait_exit() == 71);
}

TEST_CASE("signals: an idle worker runs Python's handlers in the main thread", "[pyhost]") {
  Worker worker({.threads = 2});
  REQUIRE(worker.status_line() == "ready\n");
  // One that arrives in the instant before the thread falls asleep waits for the next one.
  int sent = 0;
  do {
    ::kill(worker.pid(), SIGUSR1);
  } while (++sent < 100 && !worker.logs_within("signal 10 in MainThread\n", 300ms));
  CHECK(sent < 100);
  // What the handler raises is nobody's failure.
  worker.wait_log("RuntimeError: handler failed\n");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
}

TEST_CASE("signals: Ctrl-C is not for the worker", "[pyhost]") {
  Worker worker;
  REQUIRE(worker.status_line() == "ready\n");
  ::kill(worker.pid(), SIGINT);
  CHECK(worker.ask({.path = "/one"}).body == "one block");
  CHECK(worker.stop() == 0);
  CHECK(worker.wait_log("").find("KeyboardInterrupt") == std::string::npos);
}

TEST_CASE("process: title, arguments and path", "[pyhost]") {
  Worker worker({.pythonpath = {"/nowhere/first", "second"}});
  CHECK(worker.ask({.path = "/process"}).body ==
        R"(["pycgid: worker shop/3", "pycgid", ["pyhost_app"], ["/nowhere/first", ")" +
            std::string(PYHOST_TEST_APPS) + R"(/second"]])");
}

TEST_CASE("process: ends when it is told to, and Python says goodbye", "[pyhost]") {
  Worker worker({.threads = 3});
  REQUIRE(worker.status_line() == "ready\n");
  CHECK(worker.ask({.path = "/one"}).body == "one block");
  CHECK(worker.stop() == 0);
  worker.wait_log("atexit has run\n");
}

TEST_CASE("process: ends when the gateway is gone", "[pyhost]") {
  Worker worker({.threads = 3});
  REQUIRE(worker.status_line() == "ready\n");
  worker.lose_gateway();
  CHECK(worker.wait_exit() == 0);
}

TEST_CASE("process: a daemon thread that logs to the last does not spoil the end", "[pyhost]") {
  Worker worker;
  worker.ask({.path = "/logs_for_ever"});
  worker.wait_log("still here\n");
  CHECK(worker.stop() == 0);
}
