// All pools of the master, each known by its id, which is never given twice: what concerns one of
// them finds its way, what concerns all is done to each. Runs on the master's one thread.
#pragma once

#include "daemon/gateway/gateway.h"
#include "daemon/link.h"
#include "daemon/master/gateway_process.h"
#include "daemon/master/managed_pool.h"
#include "daemon/master/task_guard.h"
#include "daemon/settings.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace pycgid {

class PoolSet {
 public:
  explicit PoolSet(const PoolContext& context) : context_(context) {}

  // Not prepared yet.
  ManagedPool& add(PoolConfig config);
  // Null when there is none. A pool that was removed has no name any more, but an id as long as it
  // has workers.
  ManagedPool* find(std::uint32_t id) const;
  ManagedPool* find(std::string_view name) const;
  auto begin() const { return pools_.begin(); }
  auto end() const { return pools_.end(); }

  // There are pools, and none of them serves or may still come to serve.
  bool have_all_failed() const;
  // Of one pool it is known that it can start, or of none; others may still be looked at.
  bool can_begin() const;
  // None is described; those that were removed may still be ending.
  bool is_empty() const;
  // What the daemon ends with when they have: one that may pass, if there is any, so that a service
  // manager starts it again. The others are logged.
  StartupError failure() const;
  // Each pool serves or has failed.
  bool are_all_decided() const;
  // No worker is left, and no template.
  bool have_all_ended() const;
  // For a new gateway.
  std::vector<ServedPool> served() const;
  std::vector<ServedSocket> sockets() const;

  // --- what happens ---
  std::vector<int> status_fds() const;
  void on_status_readable(int fd, TimePoint now);
  // False: the gateway's message is not about a worker.
  bool on_message(const Message& message, TimePoint now);
  bool owns(pid_t pid) const;
  void on_exited(pid_t pid, int wait_status, TimePoint now);
  std::optional<TimePoint> next_due() const;
  void on_time(TimePoint now);
  void tend_sockets();
  // Attends to what became of reloads and of pools that were removed.
  void settle(TimePoint now);
  // As TaskGuard has it.
  std::chrono::milliseconds take_pause() { return guard_.take_pause(); }

  // --- what is done to all, as ManagedPool has it ---
  void boot(TimePoint now);
  void stop(TimePoint now);
  void kill_all();
  void end_exit_hooks();
  void abandon(TimePoint now);
  void recover(TimePoint now);

 private:
  // To each pool in turn; what is thrown for one does not keep it from the others.
  template <typename Task>
  void for_each(std::string_view what, Task&& task) {
    for (const auto& pool : pools_) {
      guard_.run(
          what, [&] { task(*pool); }, pool->settings().name);
    }
  }

  void drop_unused();

  PoolContext context_;
  std::vector<std::unique_ptr<ManagedPool>> pools_;
  std::uint32_t last_id_ = 0;
  TaskGuard guard_;
};

}  // namespace pycgid
