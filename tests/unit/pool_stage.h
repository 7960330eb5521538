// A pool's supervisor on a stage: a host that forks nothing, a clock that stands still, and short
// words for what happens.
#pragma once

#include "daemon/log.h"
#include "daemon/master/pool_supervisor.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace supervisor_test {

using namespace pycgid;
using namespace std::chrono_literals;

inline constexpr int kCleanExit = 0;
inline constexpr int kExit1 = 1 << 8;
inline constexpr int kSegv = SIGSEGV;

// Remembers what the supervisor asked for; a worker's pid is 1000 + its id.
class FakeHost : public PoolHost {
 public:
  std::string spawn(std::uint32_t, std::uint32_t, std::uint32_t number,
                    SpawnedWorker& worker) override {
    if (!refuse_spawn.empty()) return refuse_spawn;
    if (preload) {
      worker.id = ++last_id;
      return {};
    }
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return "no pipe";
    worker.id = ++last_id;
    worker.pid = static_cast<pid_t>(1000 + worker.id);
    worker.status.reset(fds[0]);
    says[worker.pid].reset(fds[1]);
    status_fds[worker.pid] = fds[0];
    numbers[worker.pid] = number;
    return {};
  }
  std::uint32_t next_id() override { return ++last_id; }
  void give_up_fork(std::uint32_t, std::uint32_t worker) override { given_up.push_back(worker); }
  void tell_gateway(const Message& message) override {
    if (message.type == MessageType::pool_state) {
      last_state = message.text;
      return;
    }
    told.emplace_back(message.type, message.generation);
    if (message.type == MessageType::retire) retired.push_back(message.pid);
    if (message.type == MessageType::worker_exited) last_end = message.text;
  }
  bool has_gateway() const override { return true; }
  void signal_group(pid_t leader, int signal) override { signals.emplace_back(leader, signal); }
  std::uint64_t resident_bytes(pid_t pid) override { return memory[pid]; }

  bool was_killed(pid_t pid) const {
    return std::ranges::find(signals, std::pair<pid_t, int>(pid, SIGKILL)) != signals.end();
  }
  long count(MessageType type) const {
    return std::ranges::count_if(told, [type](const auto& entry) { return entry.first == type; });
  }

  std::string refuse_spawn;
  bool preload = false;  // workers are ordered, and come when the test says so
  std::vector<std::uint32_t> given_up;
  std::string last_state;
  std::string last_end;  // what the gateway is to log of it
  std::uint32_t last_id = 0;
  std::map<pid_t, pyhost::UniqueFd> says;
  std::map<pid_t, int> status_fds;
  std::map<pid_t, std::uint32_t> numbers;
  std::vector<std::pair<MessageType, std::uint32_t>> told;
  std::vector<std::pair<pid_t, int>> signals;
  std::vector<pid_t> retired;
  std::map<pid_t, std::uint64_t> memory;
};

inline PoolSettings two_workers() {
  PoolSettings settings;
  settings.name = "blog";
  settings.app = "blog.wsgi";
  settings.processes_min = 2;
  settings.processes_max = 2;
  settings.start_timeout = 10s;
  settings.stop_timeout = 5s;
  return settings;
}

// A pool with its host and clock, and short words for what happens to it.
struct Stage {
  Stage() { set_log_fd(-1); }
  ~Stage() { set_log_fd(2); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void say(pid_t pid, const std::string& line) {
    REQUIRE(::write(host.says.at(pid).get(), line.data(), line.size()) > 0);
    pool.on_status_readable(host.status_fds.at(pid), now);
  }
  void die(pid_t pid, int wait_status) { pool.on_exited(pid, wait_status, now); }
  void pass(std::chrono::milliseconds time) {
    now += time;
    pool.on_time(now);
  }
  void boot_ready() {
    pool.boot(now);
    say(1001, "ready\n");
    say(1002, "ready\n");
  }

  PoolSettings settings = two_workers();
  FakeHost host;
  TimePoint now{};
  PoolSupervisor pool{settings, 0, host};
};

}  // namespace supervisor_test
