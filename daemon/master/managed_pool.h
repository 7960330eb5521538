// One pool as the master runs it: what its workers run, its listening sockets, its supervisor, and
// what is done about a start that failed. Runs on the master's one thread.
//
// A start fails when a user, an interpreter or a socket is not to be had, or when the application
// does not load. Beside other pools it is tried again and again, with growing delays; meanwhile the
// gateway answers 503.
#pragma once

#include "daemon/master/backoff.h"
#include "daemon/master/bound_socket.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/master/worker_command.h"
#include "daemon/settings.h"
#include "daemon/startup_error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pycgid {

class ManagedPool {
 public:
  enum class News { none, serves, failed };

  // `id` is the pool's number in messages. `global` and `host` outlive the pool.
  ManagedPool(const Settings& global, const PoolSettings& settings, std::uint32_t id,
              PoolHost& host);
  ManagedPool(const ManagedPool&) = delete;
  ManagedPool& operator=(const ManagedPool&) = delete;

  std::uint32_t id() const { return id_; }
  const PoolSettings& settings() const { return settings_; }
  PoolSupervisor& workers() { return workers_; }
  const PoolSupervisor& workers() const { return workers_; }
  std::vector<BoundSocket>& sockets() { return sockets_; }

  // Finds user and interpreter and binds the sockets, unless that is done; failure() says why not.
  void prepare();
  // Starts the first generation if prepare() went well.
  void boot(TimePoint now);
  std::string spawn(std::uint32_t number, SpawnedWorker& worker) const;

  // What has become of the start since the last call: each attempt is told of once.
  News news();
  // Nothing is to be waited for: it serves, or has failed once.
  bool is_decided() const { return !attempted_ || failure_; }
  // Why it has not started; stays over further attempts, until one succeeds.
  const std::optional<StartupError>& failure() const { return failure_; }
  // Says why it does not start, unless that was said before, has the gateway answer 503, and tries
  // again later.
  void retry_later(TimePoint now);
  void retry_now(TimePoint now) { retry_due_ = now; }
  // The daemon ends: as PoolSupervisor has it, and no more attempts.
  void stop(TimePoint now);
  void kill_all();
  void on_time(TimePoint now);
  std::optional<TimePoint> next_due() const;
  // A new gateway is there.
  void recover(TimePoint now);

  // "unix:/run/blog.sock, 127.0.0.1:4000"
  std::string addresses_text() const;

 private:
  void tell_refused() const;
  void tell_sockets() const;

  const Settings& global_;
  PoolSettings settings_;
  std::uint32_t id_;
  PoolHost& host_;
  Credentials credentials_;
  std::optional<WorkerCommand> command_;  // empty: not prepared
  std::vector<BoundSocket> sockets_;
  PoolSupervisor workers_;
  std::optional<StartupError> failure_;
  bool attempted_ = false;  // there is, or will be, news
  std::string said_;
  std::optional<TimePoint> retry_due_;
  Backoff backoff_;
};

}  // namespace pycgid
