// The template of one generation (option "preload") as the master sees it: a process that has the
// application loaded and forks workers on order. Runs on the master's one thread; nothing blocks.
//
// Orders wait until it is ready, and are carried out one by one. A worker that is forked reports
// itself and is the master's child then; one that will not come is noticed by its status pipe,
// which has no writer any more. So it does not matter who is killed when, the template among them.
#pragma once

#include "daemon/master/worker_process.h"
#include "daemon/master/worker_spawn.h"
#include "daemon/startup_error.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace pycgid {

class TemplateProcess {
 public:
  // What has become of an order: the worker, with its pid, or why there is none.
  struct Outcome {
    SpawnedWorker worker;
    std::optional<StartupError> failure;
  };

  TemplateProcess(SpawnedTemplate spawned, const PoolSettings& pool, std::uint32_t generation,
                  TimePoint now);

  std::uint32_t id() const { return process_.id(); }
  pid_t pid() const { return process_.pid(); }
  std::uint32_t generation() const { return process_.generation(); }
  std::string name() const { return process_.name(); }
  std::string object() const { return process_.object(); }
  pyhost::UniqueFd take_output() { return process_.take_output(); }
  pyhost::UniqueFd take_log() { return process_.take_log(); }

  // Whether it loads or is ready.
  bool takes_orders() const { return !ended_ && !doomed_; }
  void order(std::uint32_t worker, std::uint32_t number) { orders_.push_back({worker, number}); }
  bool has_order(std::uint32_t worker) const;
  // All of them fail, the one that is being carried out as well.
  void cancel_orders(const StartupError& why);

  // What to wait for; hear() then.
  std::vector<int> fds() const;
  // Takes in what there is to hear and goes on with the orders. True: the process is of no use any
  // more and is to be killed.
  bool hear(TimePoint now);
  bool has_outcomes() const { return !outcomes_.empty(); }
  std::vector<Outcome> take_outcomes() { return std::exchange(outcomes_, {}); }

  // It was, or is being, killed on purpose.
  void doom() { doomed_ = true; }
  bool is_doomed() const { return doomed_; }
  // It was reaped. Its log line is returned: "" when all that is to be said is said elsewhere.
  std::string on_exited(int wait_status, TimePoint now);
  bool has_ended() const { return ended_; }
  // It was reaped, and nothing of it is left to be heard of.
  bool is_over() const { return ended_ && !current_ && orders_.empty() && outcomes_.empty(); }

 private:
  struct Order {
    std::uint32_t worker = 0;
    std::uint32_t number = 0;
  };

  void hear_status(TimePoint now);
  void hear_workers();
  void look_after_current();
  void send_next();
  void fail(std::uint32_t worker, const StartupError& why);
  void fail_waiting(const StartupError& why);

  PoolSettings pool_;  // of this generation, whatever is in force by now
  WorkerProcess process_;
  pyhost::UniqueFd link_;
  std::deque<Order> orders_;              // not sent yet
  std::optional<SpawnedWorker> current_;  // sent, and not there yet
  std::string current_text_;              // what came on its status pipe
  std::vector<Outcome> outcomes_;
  bool ready_ = false;
  bool doomed_ = false;
  bool ended_ = false;
  std::optional<StartupError> end_;  // why no orders are carried out any more
};

}  // namespace pycgid
