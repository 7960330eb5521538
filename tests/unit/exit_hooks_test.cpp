// The commands of option "on-exit", run by themselves.
#include "daemon/master/exit_hooks.h"

#include "daemon/text.h"
#include "tests/unit/captured_log.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

ExitHooks::Limits limits() {
  return {.deadline = 10s, .most_wait = 60s, .most_at_once = 2, .most_output = 4096};
}

EndedWorker ended(const std::string& command, std::uint32_t number = 1, int wait_status = 0) {
  PoolSettings pool;
  pool.name = "blog";
  pool.on_exit = command;
  WorkerCommand as;
  as.environment = {"PATH=/usr/bin:/bin", "PYCGID_WORKER=of the daemon's own"};
  Credentials same;
  same.user = ::getuid();
  same.group = ::getgid();
  const ExitPlan plan{pool, as, same};
  return {std::make_shared<const ExitPlan>(plan), number, 4711, wait_status};
}

// As the master does it, until all have ended.
void run(ExitHooks& hooks) {
  const TimePoint limit = now() + 20s;
  while (!hooks.is_empty()) {
    REQUIRE(now() < limit);
    std::vector<pollfd> entries;
    for (int fd : hooks.fds()) entries.push_back({fd, POLLIN, 0});
    ::poll(entries.data(), entries.size(), 10);
    for (const pollfd& entry : entries) hooks.on_readable(entry.fd);
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid > 0) hooks.on_exited(pid, status, now());
    hooks.on_time(now());
  }
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

TEST_CASE("exit hooks: the command is told of the worker, and its output is logged", "[master]") {
  CapturedLog log(LogLevel::notice);
  ExitHooks hooks(limits());
  hooks.on_worker_exited(
      ended("echo $PYCGID_POOL $PYCGID_WORKER $PYCGID_PID $PYCGID_STATUS; printf end", 3, SIGKILL),
      now());
  run(hooks);
  const std::string text = log.text();
  CHECK(text.find("notice blog/3/on-exit[") != std::string::npos);
  CHECK(text.find("]: blog 3 4711 137\n") != std::string::npos);
  CHECK(text.find("]: end\n") != std::string::npos);
  CHECK(count(text, "warning") == 0);
}

TEST_CASE("exit hooks: a command that fails is reported", "[master]") {
  CapturedLog log(LogLevel::notice);
  ExitHooks hooks(limits());
  hooks.on_worker_exited(ended("exit 3"), now());
  run(hooks);
  CHECK(log.text().find("the command for the end of blog/1[4711] exited with status 3 (option "
                        "\"on-exit\")") != std::string::npos);
}

TEST_CASE("exit hooks: a command that hangs is killed with its children", "[master]") {
  CapturedLog log(LogLevel::notice);
  ExitHooks::Limits soon = limits();
  soon.deadline = 100ms;
  ExitHooks hooks(soon);
  hooks.on_worker_exited(ended("sleep 1000; :"), now());
  run(hooks);
  CHECK(log.text().find("did not end within 100ms (option \"on-exit\")") != std::string::npos);
}

TEST_CASE("exit hooks: so many run at once, the others wait", "[master]") {
  CapturedLog log(LogLevel::notice);
  ExitHooks hooks(limits());
  for (std::uint32_t number = 1; number <= 5; ++number) {
    hooks.on_worker_exited(ended("echo done", number), now());
  }
  CHECK(hooks.fds().size() == 2);
  run(hooks);
  CHECK(count(log.text(), "]: done\n") == 5);
}

TEST_CASE("exit hooks: what waits for too long is given up, and said", "[master]") {
  CapturedLog log(LogLevel::notice);
  ExitHooks hooks(limits());
  for (std::uint32_t number = 1; number <= 3; ++number) {
    hooks.on_worker_exited(ended("sleep 0.1", number), now());
  }
  hooks.on_time(now() + 9s);
  CHECK(log.text().empty());
  hooks.on_time(now() + 61s);
  CHECK(log.text().find("blog/3[4711]: its command did not run") != std::string::npos);
  run(hooks);
}

TEST_CASE("exit hooks: endless output is cut", "[master]") {
  CapturedLog log(LogLevel::notice);
  ExitHooks hooks(limits());
  hooks.on_worker_exited(ended("yes 0123456789012345678901234567890123456789 | head -c 200000"),
                         now());
  run(hooks);
  std::string text;
  for (std::string more = log.text(); !more.empty(); more = log.text()) text += more;
  CHECK(count(text, "the rest is not logged (option \"on-exit\")") == 1);
  CHECK(count(text, "0123456789") < 4 * 300);
}

TEST_CASE("exit hooks: at the daemon's end at once nothing is waited for", "[master]") {
  CapturedLog log(LogLevel::notice);
  ExitHooks hooks(limits());
  for (std::uint32_t number = 1; number <= 3; ++number) {
    hooks.on_worker_exited(ended("sleep 1000", number), now());
  }
  hooks.end_at_once();
  hooks.on_worker_exited(ended("echo started all the same", 4), now());
  run(hooks);
  CHECK(log.text().find("all the same") == std::string::npos);
}

}  // namespace
