// One pool as the master runs it: what its workers run, its listening sockets, its supervisor, and
// what is done about a start that failed. Runs on the master's one thread.
//
// A start fails when a user, an interpreter or a socket is not to be had, or when the application
// does not load. Beside other pools it is tried again and again, with growing delays; meanwhile the
// gateway answers 503.
//
// What a plan needs of file systems is looked at by a process of its own, and not waited for: a
// start or a reload goes on when that look is over (pool_looking.cpp).
//
// A reload starts a generation from a plan of its own, made anew: users and interpreters may have
// changed, and settings and addresses as well. The plan in force, with its sockets, stays until
// that generation takes over, and for good when it fails (pool_reload.cpp).
#pragma once

#include "daemon/configuration.h"
#include "daemon/master/backoff.h"
#include "daemon/master/bound_socket.h"
#include "daemon/master/exit_hooks.h"
#include "daemon/master/log_files.h"
#include "daemon/master/look.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/master/pool_templates.h"
#include "daemon/master/worker_command.h"
#include "daemon/settings.h"
#include "daemon/startup_error.h"
#include "daemon/tls/tls_pem.h"

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace pycgid {

// What a pool is to be, and how that was written.
struct PoolConfig {
  PoolSettings settings{};
  ConfigSection section{};
};

// What all pools of the master share; outlives them.
struct PoolContext {
  const Settings& global;
  LogFiles& logs;
  PoolHost& host;
};

class ManagedPool {
 public:
  enum class News { none, serves, failed };

  // `id` is the pool's number in messages.
  ManagedPool(const PoolContext& context, PoolConfig config, std::uint32_t id);
  ManagedPool(const ManagedPool&) = delete;
  ManagedPool& operator=(const ManagedPool&) = delete;

  std::uint32_t id() const { return id_; }
  // In force.
  const PoolSettings& settings() const { return plan_.config.settings; }
  PoolSupervisor& workers() { return workers_; }
  const PoolSupervisor& workers() const { return workers_; }
  std::list<BoundSocket>& sockets() { return sockets_; }

  // Finds user and interpreter and binds the sockets, unless that is done; failure() says why not.
  // It may go on for some time: is_looking(). Then, with a gateway, the first generation starts.
  // `offers`: as reload() has them.
  void prepare(std::list<BoundSocket> offers = {});
  // A look at files has not ended.
  bool is_looking() const { return looking_ != nullptr; }
  // Starts the first generation if prepare() is over and went well, and it is not on its way yet.
  void boot(TimePoint now);
  std::string spawn(std::uint32_t generation, std::uint32_t number, SpawnedWorker& worker);
  PoolTemplates& templates() { return templates_; }

  // Workers, templates and commands of "on-exit". What to wait for, and what to do then.
  std::vector<int> fds() const;
  void on_readable(int fd, TimePoint now);
  bool owns(pid_t pid) const {
    return workers_.owns(pid) || templates_.owns(pid) || exit_hooks_.owns(pid);
  }
  // One of ours was reaped.
  void on_exited(pid_t pid, int wait_status, TimePoint now);
  bool is_empty() const {
    return workers_.is_empty() && templates_.is_empty() && exit_hooks_.is_empty();
  }

  // What has become of the start since the last call: each attempt is told of once.
  News news();
  // Nothing is to be waited for: it serves, or has failed once.
  bool is_decided() const { return !attempted_ || failure_; }
  // Why it has not started; stays over further attempts, until one succeeds.
  const std::optional<StartupError>& failure() const { return failure_; }
  // Logs it, with `then` behind it, unless it was logged before.
  void tell_failure(std::string_view then);
  // Says why it does not start, unless that was said before, has the gateway answer 503 where it
  // listens, and tries again later.
  void retry_later(TimePoint now);
  // A reload, or the first start, is not over yet.
  bool is_reloading() const {
    return !is_decided() || wanted_ || looking_ || workers_.is_reloading();
  }
  // Why the last reload failed; empty when it did not.
  std::string reload_failure() const { return workers_.reload_failure(); }
  // The daemon ends: as PoolSupervisor has it, no more attempts, and nobody listens any more but
  // the gateway, until it has accepted what has connected.
  void stop(TimePoint now);
  void kill_all();
  // What option "on-exit" has running is not waited for, and nothing more of it is started.
  void end_exit_hooks() { exit_hooks_.end_at_once(); }
  void on_time(TimePoint now);
  std::optional<TimePoint> next_due() const;
  // Binds Unix sockets again whose path is gone: pool_sockets.cpp.
  void tend_sockets();
  // The gateway is gone, and a new one is there.
  void abandon(TimePoint now);
  void recover(TimePoint now);

  // --- reload and change: pool_reload.cpp ---
  // Makes the pool known to a running gateway; `text` is the file of its settings.
  void introduce(pyhost::UniqueFd text) const;
  // Starts a generation of this; one that has not started yet starts anew. `offers`: sockets of
  // pools that were removed, for this plan; they close when it is given up.
  void reload(PoolConfig config, std::list<BoundSocket> offers, TimePoint now);
  // Of what it was last told to be.
  void reload(TimePoint now);
  // Nothing is on its way that a reload, the start or another attempt at it has begun.
  bool is_settled() const {
    return !attempted_ && !wanted_ && !looking_ && !workers_.has_candidate();
  }
  // The generation on its way serves: what it was started from is in force now.
  void on_take_over();
  // What became of a reload since the last call is attended to.
  void settle(TimePoint now);
  // Bound here, in force or not yet.
  bool holds(const Address& address);
  std::vector<Address> unbound(const PoolSettings& settings);
  // Those bound to any of these addresses leave the pool, in force or not yet.
  std::list<BoundSocket> give_up(const std::vector<Address>& addresses);
  // The pool is removed: its listeners close, its requests are finished, its workers end.
  void remove(TimePoint now);
  bool is_removed() const { return removed_; }
  // It was removed and has no workers left: the last that the gateway hears of it.
  void tell_ended() const { tell(MessageType::pool_ended); }
  // Hands the logs to the gateway.
  void send_logs() const;
  // Hands it what new TLS connections begin with.
  void send_tls() const { tell_tls(plan_); }
  // Of the plan that is on its way; null when there is none.
  const PoolSettings* next_settings() const { return next_ ? &next_->config.settings : nullptr; }

  // "unix:/run/blog.sock, 127.0.0.1:4000"
  std::string addresses_text() const;

 private:
  struct Plan {
    PoolConfig config{};
    Credentials credentials{};
    std::optional<WorkerCommand> command{};  // empty: not prepared
    std::optional<TlsPem> tls{};             // empty: not prepared, or there is no TLS
  };

  enum class Purpose { start, reload };
  struct Looking {
    Purpose purpose{};
    Plan plan{};
    std::vector<std::string> environment{};  // of the workers
    std::optional<Look> look{};
    std::list<BoundSocket> offers{};
  };
  // A plan that waits, with the sockets that it is to have: they go when it goes.
  struct Wanted {
    PoolConfig config{};
    std::list<BoundSocket> offers{};
  };

  EndedWorker ended_worker(pid_t pid, int wait_status) const;
  void admit(Plan& plan) const;
  void begin_start(std::list<BoundSocket> offers);
  void finish_prepare(Looking& over);
  // `unbound`: addresses of the plan that have no socket yet.
  void begin_look(Plan plan, Purpose purpose, const std::vector<Address>& unbound);
  void advance_look(TimePoint now);
  void complete(Looking& over) const;
  void abandon_look();
  void add_sockets(std::list<BoundSocket> sockets);
  void bind_what_answers();
  std::string waiting_text();
  void tell_refused() const;
  void tell_tls(const Plan& plan) const;
  void renew_tls(const PoolSettings& next);
  void tell(MessageType type, std::string text = {}, int fd = -1) const;

  void inherit_offers(Wanted& wanted);
  void begin_reload(Wanted wanted, TimePoint now);
  void finish_reload(Looking& over, TimePoint now);
  void fail_reload(const StartupError& error, bool change, TimePoint now);
  void bind_next(const PoolSettings& next, std::list<BoundSocket>& offers);
  void start_anew(Wanted wanted, TimePoint now);
  void drop_next();
  // What waits, is looked at or tried again; not what is being started.
  void forget_plans();
  bool is_change(const PoolConfig& config) const { return config.settings != settings(); }
  void tell_settings(pyhost::UniqueFd text, const PoolSettings& settings,
                     std::uint32_t generation) const;
  void move_listeners();
  void match_protocols();
  void take_offered(const PoolSettings& next, std::list<BoundSocket>& offers);
  std::vector<std::list<BoundSocket>*> all_sockets();
  void close_sockets();
  void apply_socket_rights(const PoolSettings& before) const;
  void give_socket_rights() const;

  PoolContext context_;
  std::uint32_t id_;
  Plan plan_;                           // in force
  std::list<BoundSocket> sockets_;      // of that plan
  std::unique_ptr<Looking> looking_;    // for the first plan, or the next; null: no look goes on
  std::unique_ptr<Plan> next_;          // of the generation on its way; null: none
  std::list<BoundSocket> new_sockets_;  // of the next plan, those that plan_ has not
  std::optional<Wanted> wanted_;        // after the generation on its way
  PoolSupervisor workers_;
  PoolTemplates templates_;
  ExitHooks exit_hooks_;
  std::optional<StartupError> failure_;
  std::string socket_trouble_;        // why one of them cannot be bound again, as was said
  bool has_makeshift_owner_ = false;  // some of them: see bind_what_answers()
  bool removed_ = false;
  bool attempted_ = false;  // there is, or will be, news
  std::string said_;        // the reason, without what differs at each attempt
  std::optional<TimePoint> retry_due_;
  Backoff backoff_;
};

}  // namespace pycgid
