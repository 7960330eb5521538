// Looks at files that do not come to an end.
#include "daemon/master/look.h"

#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

using Task = std::function<std::string(const LookReporter&)>;

LookRequest request(const Task& task, Milliseconds patience = 60s) {
  OptionPlaces places;
  places.note("venv", "pycgid.conf:7");
  return {.object = "the files of pool \"blog\"",
          .user = "games",
          .places = places,
          .task = task,
          .patience = patience};
}

std::string failure_of(const Task& task, Milliseconds patience = 60s) {
  try {
    look_and_wait(request(task, patience));
    return "none";
  } catch (const StartupError& error) {
    return error.text;
  }
}

TEST_CASE("look: a look gives what it returned and noted, or what it threw", "[master]") {
  const LookResult seen = look_and_wait(request([](const LookReporter& reporter) {
    reporter.note("odd");
    return std::string("seen");
  }));
  CHECK(seen.text == "seen");
  CHECK(seen.notes == std::vector<std::string>{"odd"});
  CHECK(failure_of([](const LookReporter&) -> std::string {
          fail_start(ExitStatus::configuration, "no such");
        }) == "no such");
}

TEST_CASE("look: one that is stopped is given up and says at which option", "[master]") {
  const std::string text = failure_of(
      [](const LookReporter& reporter) {
        reporter.at("chdir");
        reporter.at("venv");
        ::raise(SIGSTOP);
        return std::string();
      },
      200ms);
  CHECK(
      text.starts_with("cannot look at the files of pool \"blog\": no end after 200ms, a file "
                       "system does not answer or user \"games\" has stopped process "));
  CHECK(
      text.ends_with(", which looks (option \"venv\", pycgid.conf:7); see to the mount, or to "
                     "what runs as that user"));
}

TEST_CASE("look: nothing waits for one that has not ended", "[master]") {
  const auto begin = std::chrono::steady_clock::now();
  Look look(request([](const LookReporter&) {
              ::raise(SIGSTOP);
              return std::string();
            }),
            begin);
  look.read();
  CHECK_FALSE(look.is_over(begin));
  CHECK(look.is_over(look.due()));
  CHECK(look.fd() >= 0);
}

TEST_CASE("look: a daemon that is to end does not wait for one that does not", "[master]") {
  sigset_t term;
  sigset_t before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  ::raise(SIGTERM);
  CHECK(failure_of([](const LookReporter&) {
          ::raise(SIGSTOP);
          return std::string();
        }) == "stopped while looking at the files of pool \"blog\"");
  CHECK(look_and_wait(request([](const LookReporter&) { return std::string("seen"); })).text ==
        "seen");
  int signal = 0;
  ::sigwait(&term, &signal);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("look: one that dies is reported", "[master]") {
  const std::string text = failure_of([](const LookReporter&) {
    ::raise(SIGKILL);
    return std::string();
  });
  CHECK(text.starts_with("cannot look at the files of pool \"blog\": process "));
  CHECK(text.ends_with(", which looked, was killed"));
}

TEST_CASE("look: one that talks without end is not listened to", "[master]") {
  const std::string text = failure_of([](const LookReporter& reporter) {
    while (true) reporter.note(std::string(1000, 'x'));
    return std::string();
  });
  CHECK(text.starts_with("cannot look at the files of pool \"blog\""));
}

TEST_CASE("look: the process keeps no descriptor of the master's open", "[master]") {
  const int theirs = ::dup(STDERR_FILENO);
  const LookResult seen = look_and_wait(request([theirs](const LookReporter&) {
    return std::string(::fcntl(theirs, F_GETFD) < 0 ? "closed" : "open");
  }));
  CHECK(seen.text == "closed");
  ::close(theirs);
}

}  // namespace
