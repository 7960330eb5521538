// A pool's queue and its workers: which request runs where, and when. An idle thread takes the next
// request, the worker with most idle threads first; only when no thread is idle are requests handed
// ahead. Nothing waits while a thread is idle: what was handed ahead to a busy worker is taken back
// for it. The gateway's thread only.
#pragma once

#include "daemon/gateway/exchange.h"
#include "daemon/gateway/load_watch.h"
#include "daemon/gateway/overload_notices.h"
#include "daemon/gateway/peer_notices.h"
#include "daemon/gateway/pool_stats.h"
#include "daemon/gateway/worker.h"
#include "daemon/gateway/worker_end.h"
#include "daemon/link.h"
#include "daemon/settings.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

class WarmUp;

class Dispatcher final : public WorkerOwner, private LoadSource {
 public:
  using TellMaster = LoadWatch::TellMaster;

  Dispatcher(EventLoop& loop, const PoolSettings& pool, TellMaster tell_master);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  std::string next_request_id();

  // --- requests -------------------------------------------------------------------------------
  // False when the queue is full.
  bool enqueue(Exchange& exchange);
  // The exchange leaves the queue, if it is there.
  void withdraw(Exchange& exchange);

  // The pool does not start: nothing is taken until the next take_over, and what waits is answered
  // 503.
  void refuse_all(std::string why);
  bool is_refusing() const { return refusing_; }
  const std::string& why_refusing() const { return why_refusing_; }
  // The pool is removed: connections close when they are idle.
  void leave();
  bool is_leaving() const { return leaving_; }
  // Its workers are gone.
  void end() { refuse_all("the pool was removed, and its workers have ended"); }
  // There is, and will be, no worker for what waits: it is answered 503.
  void refuse_waiting(std::string_view why = "no worker can be started");
  // A request is answered 503 for this reason.
  void note_refusal(Failure cause);
  // Some worker gets requests, now or when it has room.
  bool anyone_serves() const;

  // --- figures ----------------------------------------------------------------------------------
  // Sees which requests have ended, for which the gateway is not woken; before load().
  void note_ended() override;
  PoolStats& stats() { return stats_; }
  const PoolStats& stats() const { return stats_; }
  PeerNotices& peer_notices() { return peer_notices_; }
  Load load() const override;
  std::uint32_t generation() const { return generation_; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }

  // --- workers --------------------------------------------------------------------------------
  // `started_with` may not be in force yet.
  void add_worker(WorkerInfo info, std::unique_ptr<pyhost::GatewayEnd> channel,
                  const PoolSettings& started_with);
  // The one that came last serves only once it has answered the requests of option "warmup".
  void warm_up(const ExchangeContext& context);
  // Gives what became of the requests that it was running.
  Losses worker_exited(std::uint32_t id);
  // Requests go to workers of this generation only; older ones end when they are idle.
  void take_over(std::uint32_t generation);
  // Worker `id` gets no more requests and ends when it is idle.
  void retire(std::uint32_t id);
  // It takes too long: see Worker::cut().
  void cut(std::uint32_t id);
  // All will be retired before long, and none will come: those that start are killed.
  void announce_end();
  void retire_all();
  // One worker that has no request, if there is one, ends; nobody waits for a worker meanwhile.
  void release_idle();

  // Takes what the workers have ready and gives them what waits. True when there was something.
  bool run_turn();
  // How much there is to do.
  enum class Pressure {
    none,  // no request
    some,  // a thread is idle, or will be before long
    full   // each worker has requests ahead, and answers come quickly
  };
  Pressure pressure() const;
  bool prepare_sleep(bool nap);
  void woke();

 private:
  void worker_violated(Worker& worker, std::string_view why) override;
  void worker_hung_up(Worker& worker) override;
  void worker_worn(Worker& worker, std::string_view why) override;
  void retire(Worker& worker);
  void bury(Worker& worker);
  void requeue(const std::vector<Exchange*>& taken_back);
  void advance_warm_ups();
  void end_warm_up(const WarmUp& warm_up, Worker& worker);
  bool full() const;
  bool anyone_waits() const;
  void refuse_deserted();
  Shortage shortage_of(Failure cause) const;
  void distribute();
  void note_load();
  Worker* pick_worker() const;
  Exchange* next_for(const Worker& worker);
  Exchange* stale_elsewhere(const Worker& worker);
  Exchange* ahead_elsewhere(const Worker& worker);

  EventLoop& loop_;
  const PoolSettings& pool_;
  TellMaster tell_master_;
  boost::intrusive::list<Exchange> queue_;
  std::size_t waiting_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<WarmUp>> warm_ups_;  // of some of these workers
  std::uint32_t generation_ = 0;
  bool refusing_ = false;
  bool leaving_ = false;
  bool ending_ = false;  // announce_end() was called
  std::string why_refusing_;
  std::map<std::uint32_t, Losses> losses_;  // by worker that is lost but not reaped
  PoolStats stats_;
  OverloadNotices notices_;
  PeerNotices peer_notices_;
  LoadWatch watch_;
  bool queueing_ = false;              // at the end of the last turn
  Clock::time_point answered_{};       // when workers had something ready last
  Clock::duration between_answers_{};  // since the time before that
  Clock::time_point stale_checked_{};
  std::string id_prefix_;
  std::uint64_t id_count_ = 0;
};

}  // namespace pycgid
