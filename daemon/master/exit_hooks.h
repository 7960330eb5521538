// Option "on-exit" of one pool: a shell command for each worker that has ended, in whatever way.
// The master never waits for one: they are children with a deadline, so many at a time, and their
// output comes by pipes into the log. Runs on the master's one thread.
//
// on_worker_exited --> waiting --> running --> reaped
//                        |            |
//                        |            +--> killed (kDeadline) --> reaped
//                        +--> given up (kMostWait)
#pragma once

#include "daemon/master/exit_command.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/master/worker_process.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace pycgid {

class ExitHooks {
 public:
  struct Limits {
    // For one command, from its start. Then its process group is killed.
    std::chrono::milliseconds deadline{10'000};
    // From the end of the worker until its command is started.
    std::chrono::milliseconds most_wait{60'000};
    std::size_t most_at_once = 16;
    // Of one command, in the log.
    std::size_t most_output = 65536;
  };

  ExitHooks() = default;
  explicit ExitHooks(const Limits& limits) : limits_(limits) {}

  // What the workers of a generation are started with, for the time when they end.
  void remember(std::uint32_t generation, const WorkerPlan& plan);
  // Generations that are as old, and have no workers, are forgotten.
  void forget(const PoolSupervisor& workers);
  // Null: its workers have no command.
  std::shared_ptr<const ExitPlan> plan_of(std::uint32_t generation) const;

  // Does nothing without a plan.
  void on_worker_exited(EndedWorker worker, TimePoint now);
  bool owns(pid_t pid) const;
  // One of ours was reaped, and its process group killed.
  void on_exited(pid_t pid, int wait_status, TimePoint now);
  // Output to wait for.
  std::vector<int> fds() const;
  void on_readable(int fd);
  void on_time(TimePoint now);
  std::optional<TimePoint> next_due() const;
  bool is_empty() const { return running_.empty() && waiting_.empty(); }
  // The daemon ends at once: what runs is killed, and nothing is started any more.
  void end_at_once();

 private:
  struct Waiting {
    EndedWorker worker;
    TimePoint due;
  };
  struct Running {
    EndedWorker worker;
    pid_t pid = -1;
    pyhost::UniqueFd output{};
    std::string line{};     // which has no end yet
    std::size_t taken = 0;  // bytes of its output
    TimePoint due{};
    bool killed = false;
  };

  void start_waiting(TimePoint now);
  void start(EndedWorker worker, TimePoint now);
  void read_output(Running& hook) const;
  void take(Running& hook, std::string_view text) const;
  static void log_last_line(Running& hook);
  static void kill(const Running& hook);

  Limits limits_;
  std::map<std::uint32_t, std::shared_ptr<const ExitPlan>> plans_;  // by generation
  std::deque<Waiting> waiting_;
  std::list<Running> running_;
  bool ended_ = false;
};

// How long a pool's commands may take from the end of its workers on, for those who wait for it.
std::chrono::milliseconds exit_time(const PoolSettings& pool);

}  // namespace pycgid
