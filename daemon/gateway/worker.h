// The gateway's view of one worker: its channel, which exchange is in which slot, and how many of
// its threads are busy. A slot beyond the number of threads holds a request handed ahead, so that
// the worker need not wait for the gateway between two requests; it can be taken back until a
// thread has it. The gateway's thread only.
#pragma once

#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/request_deadlines.h"
#include "daemon/gateway/thread_waker.h"
#include "daemon/settings.h"
#include "pyhost/channel.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

class Exchange;
class Worker;

// Hears of what concerns more than one worker.
class WorkerOwner {
 public:
  // The worker wrote nonsense: it must be killed, nothing of it can be used.
  virtual void worker_violated(Worker& worker, std::string_view why) = 0;
  // Its end of the channel is closed.
  virtual void worker_hung_up(Worker& worker) = 0;
  // It is to be replaced: `why` ends "replaced ...". It goes on until it is retired.
  virtual void worker_worn(Worker& worker, std::string_view why) = 0;

 protected:
  ~WorkerOwner() = default;
};

struct WorkerInfo {
  std::uint32_t id = 0;
  std::uint32_t pool = 0;
  std::uint32_t generation = 0;
  std::string name;  // "blog/2[4711]"
  std::int32_t pid = 0;
  unsigned threads = 1;
  std::uint64_t max_requests = 0;  // 0: any number
  Clock::time_point started{};
};

// Option "max-requests" for one worker: with "max-requests-jitter", that workers which began
// together don't end together. 0: any number.
std::uint64_t requests_until_worn(const PoolSettings& pool);

class Worker final : private DeadlineOwner {
 public:
  // `pool` is copied: the worker was started with it, whatever comes into force later. What comes
  // after it outlives the worker.
  Worker(WorkerInfo info, std::unique_ptr<pyhost::GatewayEnd> channel, const PoolSettings& pool,
         EventLoop& loop, WorkerOwner& owner);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const WorkerInfo& info() const { return info_; }
  const PoolSettings& pool() const { return pool_; }
  pyhost::GatewayEnd& channel() { return *channel_; }

  // Threads without a request; none while it stands still.
  unsigned idle_threads() const;
  // Requests handed ahead, beyond what its threads can run at once; all while it stands still.
  unsigned ahead() const;
  // There is a slot, and the worker takes what the dispatcher gives it. While it stands still it is
  // tried with one request at a time.
  bool has_room() const;
  // It takes requests, now or when one of its slots is free.
  bool serves() const { return open_ && !retired_ && !lost_; }
  // Nothing of any request is left in its slots.
  bool is_idle() const { return free_.size() == slots_.size(); }
  unsigned active() const { return active_; }
  // Requests that it has done.
  std::uint64_t requests() const { return requests_; }
  // Requests in its slots; for status pages.
  std::vector<const Exchange*> exchanges() const;
  // A thread has the slot's request.
  bool has_begun(std::uint32_t slot) const;

  // False: the exchange refused itself and is gone; the slot is free again.
  bool submit(Exchange& exchange);
  // Wakes the worker for all that was submitted since the last call.
  void wake();
  // Takes a request back that no thread has yet; its slot is free again.
  bool take_back(std::uint32_t slot);
  // One that was taken back had waited for too long. With a thread idle for it, the worker stands
  // still (stopped, held by C code that keeps the GIL, or lying): until it takes a request again,
  // others go before.
  void note_standing() { stands_still_ = stands_still_ || active_ < info_.threads; }
  // The newest request that no thread has, taken back; null when there is none.
  Exchange* take_back_newest();
  // The oldest one, if it was submitted before `limit`.
  Exchange* take_back_older_than(Clock::time_point limit);
  // The exchange of this slot has no more interest in it. Unless it has read the answer to its end,
  // the worker is told so, and what still comes is dropped.
  enum class Leaves {
    read,      // the answer to its end
    enough,    // all of it that the front may get; the application may finish
    unwanted,  // an answer that nobody wants; the application is to stop
  };
  void detach(std::uint32_t slot, Leaves what);

  // Takes what the worker has ready; true when there was something.
  bool collect();
  // The slot has more than one turn may take: the next one goes on with it.
  void serve_again(std::uint32_t slot);
  // Sees which requests have ended, and nothing else: the gateway is not woken for it.
  void note_ended();
  // Before the loop blocks, see GatewayEnd. `anyone_waits`: for a thread to be free.
  bool prepare_sleep(bool anyone_waits);
  bool prepare_nap();
  void woke() { channel_->woke(); }

  void violated(std::string_view why);
  // Whether it may serve; not before it has answered the requests of option "warmup".
  void set_open(bool open) { open_ = open; }
  bool is_open() const { return open_; }
  // It will be retired before long; the application is told when it asks.
  void announce_end() { channel_->announce_end(); }
  // No more requests: it ends when it has none.
  void retire();
  // It takes too long to end: the requests that it still has are cut, as by a timeout.
  void cut();
  bool retired() const { return retired_; }
  // Its exchanges, for the one who buries it: untaken ones first in order, each detached.
  std::vector<Exchange*> abandon_untaken();
  std::vector<Exchange*> abandon_running();
  // Requests that a thread still works on though they were answered, by a timeout for instance.
  std::size_t unwanted() const;
  bool lost() const { return lost_; }
  void mark_lost() { lost_ = true; }

 private:
  struct Slot {
    Exchange* exchange = nullptr;
    bool busy = false;        // submitted and not yet released
    bool untaken = false;     // no thread was seen to have it
    bool done = false;        // the thread is free again
    std::size_t dropped = 0;  // bytes of an answer that nobody wants
  };
  struct Submitted {
    std::uint32_t slot;
    Clock::time_point when;
  };
  class Bell final : public Watched {
   public:
    void on_events(std::uint32_t) override {}  // its ringing alone ends the loop's sleep
  };
  class HangUp final : public Watched {
   public:
    explicit HangUp(Worker& worker) : worker_(worker) {}
    void on_events(std::uint32_t events) override;

   private:
    Worker& worker_;
  };

  // DeadlineOwner
  Stand look_at(std::uint32_t slot) override;
  void on_slow(std::uint32_t slot) override;
  void on_timeout(std::uint32_t slot) override;
  void on_stuck(std::uint32_t slot) override;
  void say(LogLevel level, std::uint32_t slot, std::string_view text) const;
  void cut(std::uint32_t slot, std::string_view why, pyhost::Demand demand);

  void leave();
  void serve(std::uint32_t slot);
  bool drop_answer(std::uint32_t slot);
  void note_progress(std::uint32_t slot);
  void thread_freed();
  void release(std::uint32_t slot);
  Exchange* forget_untaken(std::uint32_t slot);
  void drop_taken();
  void stop_if_idle();

  WorkerInfo info_;
  std::unique_ptr<pyhost::GatewayEnd> channel_;
  const PoolSettings pool_;
  EventLoop& loop_;
  WorkerOwner& owner_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  pyhost::GatewayEnd::ReadySet again_{};  // slots of serve_again()
  bool any_again_ = false;
  std::deque<Submitted> order_;  // submitted and possibly untaken, oldest first
  RequestDeadlines deadlines_;
  ThreadWaker waker_;
  unsigned active_ = 0;         // busy and not done
  std::uint64_t requests_ = 0;  // done
  bool open_ = true;
  bool wake_due_ = false;
  bool retired_ = false;
  bool leaving_ = false;  // it has asked for a successor
  bool lost_ = false;
  bool stands_still_ = false;
  Bell bell_;
  HangUp hang_up_;
};

}  // namespace pycgid
