// All pools of the gateway, by the ids that the master gave them, and their workers as they come
// and go. The gateway's thread only.
#pragma once

#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/pool.h"
#include "daemon/gateway/worker.h"
#include "daemon/gateway/worker_output.h"
#include "daemon/link.h"
#include "daemon/settings.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace pycgid {

class Pools {
 public:
  // `loop` and `global` outlive the pools.
  Pools(EventLoop& loop, const Settings& global, Dispatcher::TellMaster tell_master);

  void add(std::uint32_t id, PoolSettings settings);
  // Null when there is none: messages may be late.
  Pool* find(std::uint32_t id) const;

  // False: the master's message is about something else than one pool's workers, logs
  // and settings.
  bool on_message(Message& message);
  const std::map<std::uint32_t, std::unique_ptr<Pool>>& all() const { return pools_; }
  // Workers end when they are idle.
  void retire_all();
  // All workers will be retired before long.
  void announce_end();
  // Frees those that were removed, and have neither listeners, connections nor workers left.
  void bury();
  // What all workers have said is logged.
  bool is_quiet() const { return outputs_.empty(); }

  // --- the turn ---
  bool run_turn();
  // See TurnWork.
  bool may_nap() const;
  bool prepare_sleep(bool nap);
  void woke();
  void flush_access_logs();

 private:
  void add_output(Message& message);
  void add_worker(Message& message);
  // The worker is to be killed.
  void accuse(std::uint32_t worker, std::string why) const;
  void worker_exited(const Message& message);
  void retire(std::uint32_t worker);
  void cut(std::uint32_t worker);
  void open_access_log(Message& message);
  void open_slow_log(Message& message);
  void configure(Message& message);

  EventLoop& loop_;
  const Settings& global_;
  Dispatcher::TellMaster tell_master_;
  std::map<std::uint32_t, std::unique_ptr<Pool>> pools_;
  std::map<std::uint32_t, std::shared_ptr<WorkerOutput>> outputs_;  // of workers that live
};

}  // namespace pycgid
