// What systemd is told, and when.
#include "daemon/master/service_manager.h"

#include "pyhost/unique_fd.h"
#include "tests/unit/catch.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;
using Phase = ServiceState::Phase;
using Texts = std::vector<std::string>;

// A service manager's end, at an abstract name, and the master's.
class Stage {
 public:
  explicit Stage(const char* watchdog_usec = nullptr) {
    const std::string name = "@pycgid-test-" + std::to_string(::getpid());
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, name.size());
    address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(sizeof address.sun_family + name.size());
    CHECK(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    if (watchdog_usec != nullptr) ::setenv("WATCHDOG_USEC", watchdog_usec, 1);
    service = std::make_unique<ServiceManager>(pid_file_, background_);
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    state.pools = 2;
    state.workers = 8;
  }

  void observe() { service->observe(state, now); }
  void serve() {
    state.phase = Phase::serving;
    observe();
    heard();
  }

  // What came since the last call; the time of MONOTONIC_USEC is left out.
  Texts heard() {
    Texts texts;
    std::array<char, 1024> text;
    while (true) {
      const ssize_t got = ::recv(socket_.get(), text.data(), text.size(), 0);
      if (got < 0) return texts;
      std::string& heard = texts.emplace_back(text.data(), static_cast<std::size_t>(got));
      const std::size_t time = heard.find("MONOTONIC_USEC=");
      if (time != std::string::npos) heard.erase(time, heard.find('\n', time) + 1 - time);
    }
  }

  ServiceState state;
  ServiceManager::TimePoint now{};
  std::unique_ptr<ServiceManager> service;

 private:
  pyhost::UniqueFd socket_;
  PidFile pid_file_{""};
  Background background_;
};

TEST_CASE("service manager: the life of a daemon", "[service]") {
  Stage stage;
  stage.state.start_timeout = 60s;
  stage.state.stop_timeout = 30s;
  stage.observe();
  CHECK(stage.heard() == Texts{"EXTEND_TIMEOUT_USEC=65000000\nSTATUS=starting 2 pools"});
  stage.observe();
  CHECK(stage.heard().empty());
  stage.state.phase = Phase::serving;
  stage.observe();
  CHECK(stage.heard() == Texts{"READY=1\nSTATUS=2 pools, 8 workers, serving"});
  stage.state.phase = Phase::stopping;
  stage.observe();
  CHECK(stage.heard() == Texts{"STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\n"
                               "STATUS=finishing the requests in progress"});
}

TEST_CASE("service manager: a reload, from its beginning to its end", "[service]") {
  Stage stage;
  stage.serve();
  stage.service->reload_began();
  stage.state.reloading = true;
  stage.observe();
  stage.observe();
  CHECK(stage.heard() == Texts{"RELOADING=1\nEXTEND_TIMEOUT_USEC=5000000\n"
                               "STATUS=reloading; 2 pools, 8 workers, serving"});
  stage.state.reloading = false;
  stage.state.reload_failure = "pool \"blog\" failed: two\nlines";
  stage.observe();
  CHECK(stage.heard() == Texts{"READY=1\nSTATUS=reload of pool \"blog\" failed: two\\nlines; "
                               "2 pools, 8 workers, serving"});
}

TEST_CASE("service manager: a reload that is over at once is told of whole", "[service]") {
  Stage stage;
  stage.serve();
  stage.service->reload_began();
  stage.observe();
  const Texts heard = stage.heard();
  REQUIRE(heard.size() == 2);
  CHECK(heard[0].starts_with("RELOADING=1\n"));
  CHECK(heard[1].starts_with("READY=1\n"));
}

TEST_CASE("service manager: a reload before the start is over is part of it", "[service]") {
  Stage stage;
  stage.service->reload_began();
  stage.observe();
  stage.heard();
  stage.state.phase = Phase::serving;
  stage.observe();
  CHECK(stage.heard() == Texts{"READY=1\nSTATUS=2 pools, 8 workers, serving"});
}

TEST_CASE("service manager: the status follows the workers", "[service]") {
  Stage stage;
  stage.serve();
  stage.state.workers = 1;
  stage.state.failed_pools = 1;
  stage.observe();
  stage.observe();
  CHECK(stage.heard() == Texts{"STATUS=2 pools, 1 worker, serving; 1 pool does not start"});
}

TEST_CASE("service manager: no watchdog, no pings", "[service]") {
  Stage stage;
  stage.serve();
  CHECK_FALSE(stage.service->next_due());
  CHECK_FALSE(stage.service->wants_ping(stage.now + 1h));
  stage.service->on_pong(stage.now);
  CHECK(stage.heard().empty());
}

TEST_CASE("service manager: a watchdog is fed by answers alone", "[service]") {
  Stage stage("10000000");
  CHECK_FALSE(stage.service->next_due());
  stage.serve();
  CHECK(stage.service->wants_ping(stage.now));
  CHECK(stage.heard().empty());
  stage.service->on_pong(stage.now);
  CHECK(stage.heard() == Texts{"WATCHDOG=1"});
  CHECK(stage.service->next_due() == stage.now + 5s);
  CHECK_FALSE(stage.service->wants_ping(stage.now + 4s));
  CHECK(stage.service->wants_ping(stage.now + 5s));
  // Nothing is said to a gateway that has not answered yet.
  CHECK_FALSE(stage.service->wants_ping(stage.now + 10s));
  CHECK_FALSE(stage.service->wants_ping(stage.now + 15s));
  CHECK(stage.heard().empty());
  stage.service->on_pong(stage.now + 16s);
  CHECK(stage.heard() == Texts{"WATCHDOG=1"});
  CHECK(stage.service->wants_ping(stage.now + 21s));
}

TEST_CASE("service manager: the end needs no watchdog", "[service]") {
  Stage stage("10000000");
  stage.serve();
  stage.state.phase = Phase::stopping;
  stage.observe();
  CHECK_FALSE(stage.service->next_due());
  CHECK_FALSE(stage.service->wants_ping(stage.now + 1h));
}

TEST_CASE("service manager: a watchdog of another process is none", "[service]") {
  ::setenv("WATCHDOG_PID", "1", 1);
  Stage stage("10000000");
  ::unsetenv("WATCHDOG_PID");
  stage.serve();
  CHECK_FALSE(stage.service->next_due());
}

}  // namespace
