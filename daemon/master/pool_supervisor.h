// The workers of one pool and their generations: starts them, replaces the dead, reloads, stops.
// Pure logic over PoolHost: no system calls and no clock of its own, so that tests drive it.
// Runs on the master's one thread.
//
// A generation is a set of workers that imported the application at the same time. One serves; at
// start and on reload a candidate is started beside it, which takes over when all of its workers
// are ready, or is given up whole when one of them fails.
#pragma once

#include "daemon/link.h"
#include "daemon/master/backoff.h"
#include "daemon/master/pool_scaling.h"
#include "daemon/master/worker_process.h"
#include "daemon/settings.h"
#include "daemon/startup_error.h"
#include "daemon/status/pool_state.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace pycgid {

// What the supervisor needs of the world.
class PoolHost {
 public:
  PoolHost() = default;
  PoolHost(const PoolHost&) = delete;
  PoolHost& operator=(const PoolHost&) = delete;
  virtual ~PoolHost() = default;

  // Starts worker `number` of a generation of pool `pool`, or orders it of the generation's
  // template: then it has no pid, and on_forked() or on_not_forked() follows, but not from inside
  // this call. Returns what went wrong, "" when nothing did.
  virtual std::string spawn(std::uint32_t pool, std::uint32_t generation, std::uint32_t number,
                            SpawnedWorker& worker) = 0;
  // A worker that was ordered has not come for too long: whatever is to fork it is stuck.
  virtual void give_up_fork(std::uint32_t pool, std::uint32_t worker) = 0;
  // A number for a process, which no other gets.
  virtual std::uint32_t next_id() = 0;
  // The generation that was started last serves from now on: the settings of set_next() are to be
  // in force when this returns.
  virtual void on_take_over(std::uint32_t /*pool*/) {}
  virtual void tell_gateway(const Message& message) = 0;
  // Whether there is a gateway to tell.
  virtual bool has_gateway() const = 0;
  // To the whole process group of a worker.
  virtual void signal_group(pid_t leader, int signal) = 0;
  // The memory that a process uses now; 0 when it is gone.
  virtual std::uint64_t resident_bytes(pid_t pid) = 0;
};

// What a worker gets to end in order once what is left of its requests is cut. It divides that
// itself between requests that still run and the functions that the application has for its end.
Milliseconds cleanup_time(const PoolSettings& pool);
// How long a pool's workers may take to end: "stop-timeout" for their requests, and the time above.
Milliseconds stop_time(const PoolSettings& pool);

class PoolSupervisor {
 public:
  // `settings`, those in force, and `host` outlive the supervisor. Settings change at start and in
  // PoolHost::on_take_over() only.
  PoolSupervisor(const PoolSettings& settings, std::uint32_t index, PoolHost& host)
      : settings_(settings), index_(index), host_(host), scaling_(settings) {}

  // Starts the first generation; once more after it failed.
  void boot(TimePoint now);
  // Starts a new generation beside the serving one; once more afterwards when one is on its way.
  void reload(TimePoint now);
  // What the generations to come are started with, until they are in force; null: as the one that
  // serves.
  void set_next(const PoolSettings* next) { next_ = next; }
  // The start is begun anew, with other settings: the candidate ends, unheard.
  void cancel_start();
  // The gateway is gone, and all requests with it: every worker ends.
  void abandon(TimePoint now);
  // A new gateway is there: a new generation serves at once, each worker as soon as it is ready. A
  // pool that has not served before boots again.
  void recover(TimePoint now);
  // The daemon ends: workers in service end when they are idle, the others at once.
  void stop(TimePoint now);
  void kill_all();

  void on_status_readable(int status_fd, TimePoint now);
  // The worker has answered the requests of option "warmup" well.
  void on_warm(std::uint32_t worker, TimePoint now);
  // It has not, and is killed.
  void on_warmup_failed(std::uint32_t worker, std::string_view why);
  void on_violation(std::uint32_t worker, std::string_view why);
  // The worker has served long enough: another is started, and it ends when that one is ready.
  void on_worn(std::uint32_t worker, std::string_view why, TimePoint now);
  // A worker that was ordered of a template is there, or will not come.
  void on_forked(SpawnedWorker process);
  void on_not_forked(std::uint32_t worker, const StartupError& why, TimePoint now);
  // The gateway's reports about a pool with `processes = MIN-MAX`, see link.h. While a reload is on
  // its way they change nothing: a worker that is started now would load what the reload tries.
  void on_requests_wait(unsigned waiting, TimePoint now);
  void on_load_report(unsigned peak, TimePoint now);
  void on_released(std::uint32_t worker, TimePoint now);
  // Worker `pid`, one of ours, was reaped.
  void on_exited(pid_t pid, int wait_status, TimePoint now);
  void on_time(TimePoint now);

  // When on_time has something to do.
  std::optional<TimePoint> next_due() const;
  // Status pipes to wait for.
  std::vector<int> status_fds() const;
  bool owns(pid_t pid) const;
  // Whether workers of the generation are, or may have to be, forked from its template.
  bool needs_template(std::uint32_t generation) const;
  // A reload has failed before there was a generation of it.
  void note_failed_reload(std::string_view why, TimePoint now) {
    note_outcome(false, next_generation(), why, now);
  }
  bool is_serving() const { return serving_ != 0; }
  std::uint32_t serving() const { return serving_; }
  bool has_candidate() const { return candidate_ != 0; }
  std::uint32_t next_generation() const { return last_generation_ + 1; }
  // Workers that get requests.
  std::size_t in_service() const;
  // A new generation is starting beside the serving one.
  bool is_reloading() const { return serving_ != 0 && candidate_ != 0; }
  // Why the last reload failed; empty when it did not.
  std::string reload_failure() const;
  bool is_empty() const { return workers_.empty(); }
  // Generations, the last reload and what else the status tells of the pool.
  PoolState state() const;
  const std::vector<WorkerProcess>& workers() const { return workers_; }
  // Set when the first generation failed.
  const std::optional<StartupError>& start_failure() const { return start_failure_; }

 private:
  using Workers = std::vector<WorkerProcess>;

  struct Replacement {
    std::uint32_t number = 0;
    TimePoint due;
  };

  void start_candidate(TimePoint now);
  std::string start_worker(std::uint32_t number, std::uint32_t generation, TimePoint now);
  void read_status(WorkerProcess& worker, TimePoint now);
  void on_loaded(WorkerProcess& worker, TimePoint now);
  void on_ready(WorkerProcess& worker, TimePoint now);
  void take_over(TimePoint now);
  void give_up_candidate(ExitStatus status, const std::string& why, TimePoint now);
  std::string replace(std::uint32_t number, std::chrono::milliseconds lived, TimePoint now);
  void refuse_if_forlorn(std::chrono::milliseconds delay);
  bool has_successor(std::uint32_t number) const;
  void start_replacements(TimePoint now);
  void retire(WorkerProcess& worker, TimePoint now);
  void kill(WorkerProcess& worker);
  void on_overdue(WorkerProcess& worker, TimePoint now);
  void cut(WorkerProcess& worker, TimePoint now);
  // A worker that was forked is Python as its template is.
  bool has_begun(const WorkerProcess& worker) const {
    return worker.has_begun() || settings_of(worker.generation()).preload;
  }
  void report_end(const WorkerProcess& worker, int wait_status, TimePoint now);
  void log_end(const WorkerProcess& worker, LogLevel level, const std::string& what,
               const std::string& then);
  void tell(MessageType type, const WorkerProcess& worker, std::string text,
            std::vector<pyhost::UniqueFd> fds = {});
  void tell_pool(MessageType type);

  // --- forking: pool_forking.cpp ---
  void introduce(WorkerProcess& worker);
  void signal(const WorkerProcess& worker, int number);

  // --- what the status tells: pool_outcomes.cpp ---
  void note_outcome(bool ok, std::uint32_t generation, std::string_view why, TimePoint now);
  void note_death();
  void tell_state();

  // --- recycling: pool_recycling.cpp ---
  bool may_wear_out(const WorkerProcess& worker) const;
  void wear_out(WorkerProcess& worker, std::string_view why, TimePoint now);
  void replace_worn_at_birth(TimePoint now);
  void relieve(std::uint32_t number, TimePoint now);
  void check_wear(TimePoint now);
  void check_memory(TimePoint now);
  TimePoint end_of_life(const WorkerProcess& worker) const;
  std::optional<TimePoint> next_wear() const;

  // --- scaling: pool_growth.cpp ---
  bool may_scale() const;
  Staff staff() const;
  std::set<std::uint32_t> numbers_in_use() const;
  bool is_extra(const WorkerProcess& worker) const;
  std::string extra_failed(TimePoint now);
  const PoolSettings& settings_of(std::uint32_t generation) const {
    return next_ != nullptr && generation == candidate_ ? *next_ : settings_;
  }

  const PoolSettings& settings_;
  const PoolSettings* next_ = nullptr;
  std::uint32_t index_;  // the pool's id
  PoolHost& host_;
  PoolScaling scaling_;
  Workers workers_;
  std::vector<Replacement> replacements_;  // of the serving generation
  std::map<std::uint32_t, Backoff> backoffs_;
  std::uint32_t last_generation_ = 0;
  std::uint32_t serving_ = 0;    // 0: none yet
  std::uint32_t candidate_ = 0;  // 0: none
  unsigned candidate_size_ = 0;
  std::optional<unsigned> size_to_recover_{};  // after abandon(); empty: it had not served
  bool reload_again_ = false;
  bool stopping_ = false;
  bool refusing_ = false;      // no worker lives, and the next one has to wait
  unsigned false_starts_ = 0;  // workers that ended before they were ready, since one was
  PoolState noted_;            // but for the generations
  TimePoint memory_checked_{};
  std::optional<StartupError> start_failure_;
};

}  // namespace pycgid
