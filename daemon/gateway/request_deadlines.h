// How long the requests of one worker run: options "slow-request" and "request-timeout", and
// "stop-timeout" for a thread that does not end after that. The time counts from when a thread has
// the request, and goes on until the thread is free again: it may hang after its answer, too. The
// gateway's thread only.
#pragma once

#include "daemon/gateway/event_loop.h"
#include "daemon/settings.h"

#include <cstdint>
#include <memory>

namespace pycgid {

// The worker, which knows what becomes of its slots.
class DeadlineOwner {
 public:
  enum class Stand { waiting, running, over };
  // Whether a thread has the slot's request. `over`: end() was called.
  virtual Stand look_at(std::uint32_t slot) = 0;
  virtual void on_slow(std::uint32_t slot) = 0;
  virtual void on_timeout(std::uint32_t slot) = 0;
  virtual void on_stuck(std::uint32_t slot) = 0;

 protected:
  ~DeadlineOwner() = default;
};

class RequestDeadlines {
 public:
  // Everything outlives it.
  RequestDeadlines(const PoolSettings& pool, std::uint32_t slots, EventLoop& loop,
                   DeadlineOwner& owner);
  ~RequestDeadlines();
  RequestDeadlines(const RequestDeadlines&) = delete;
  RequestDeadlines& operator=(const RequestDeadlines&) = delete;

  // The slot's request was submitted; `thread_waits`: to a thread that takes it at once.
  void begin(std::uint32_t slot, bool thread_waits);
  void end(std::uint32_t slot);

 private:
  class SlotTimer;
  void start(SlotTimer& timer, Clock::time_point since);
  void expired(SlotTimer& timer);
  void pass(SlotTimer& timer);

  const PoolSettings& pool_;
  EventLoop& loop_;
  DeadlineOwner& owner_;
  std::unique_ptr<SlotTimer[]> timers_;  // by slot; null without any of the options
};

}  // namespace pycgid
