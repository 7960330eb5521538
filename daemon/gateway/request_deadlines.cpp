#include "daemon/gateway/request_deadlines.h"

#include "daemon/gateway/timer_wheel.h"

namespace pycgid {

class RequestDeadlines::SlotTimer final : public Timer {
 public:
  enum class Next { begin, slow, timeout, stuck };

  void on_timer() override { deadlines->expired(*this); }

  RequestDeadlines* deadlines = nullptr;
  std::uint32_t slot = 0;
  Next next = Next::begin;
  Clock::time_point since{};
};

RequestDeadlines::RequestDeadlines(const PoolSettings& pool, std::uint32_t slots, EventLoop& loop,
                                   DeadlineOwner& owner)
    : pool_(pool), loop_(loop), owner_(owner) {
  if (pool.slow_request.count() == 0 && pool.request_timeout.count() == 0) return;
  timers_ = std::make_unique<SlotTimer[]>(slots);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    timers_[slot].deadlines = this;
    timers_[slot].slot = slot;
  }
}

RequestDeadlines::~RequestDeadlines() = default;

void RequestDeadlines::begin(std::uint32_t slot, bool thread_waits) {
  if (!timers_) return;
  SlotTimer& timer = timers_[slot];
  if (thread_waits) return start(timer, loop_.now());
  timer.next = SlotTimer::Next::begin;
  loop_.timers().set(timer, loop_.now() + TimerWheel::kTick);
}

void RequestDeadlines::end(std::uint32_t slot) {
  if (timers_) timers_[slot].cancel();
}

void RequestDeadlines::start(SlotTimer& timer, Clock::time_point since) {
  const Milliseconds slow = pool_.slow_request;
  const Milliseconds timeout = pool_.request_timeout;
  const bool slow_first = slow.count() > 0 && (timeout.count() == 0 || slow < timeout);
  timer.since = since;
  timer.next = slow_first ? SlotTimer::Next::slow : SlotTimer::Next::timeout;
  loop_.timers().set(timer, since + (slow_first ? slow : timeout));
}

// The worker does not say when a thread takes a request. One that was handed ahead, or whose thread
// did not take it for want of the GIL, is looked at in each tick until it is taken.
void RequestDeadlines::expired(SlotTimer& timer) {
  switch (owner_.look_at(timer.slot)) {
    case DeadlineOwner::Stand::over:
      return;
    case DeadlineOwner::Stand::waiting:
      return begin(timer.slot, false);
    case DeadlineOwner::Stand::running:
      if (timer.next == SlotTimer::Next::begin) return start(timer, loop_.now());
      return pass(timer);
  }
}

// The next deadline is set first: what the owner does may end the request.
void RequestDeadlines::pass(SlotTimer& timer) {
  switch (timer.next) {
    case SlotTimer::Next::begin:
      return;
    case SlotTimer::Next::slow:
      timer.next = SlotTimer::Next::timeout;
      if (pool_.request_timeout.count() > 0) {
        loop_.timers().set(timer, timer.since + pool_.request_timeout);
      }
      return owner_.on_slow(timer.slot);
    case SlotTimer::Next::timeout:
      timer.next = SlotTimer::Next::stuck;
      loop_.timers().set(timer, loop_.now() + pool_.stop_timeout);
      return owner_.on_timeout(timer.slot);
    case SlotTimer::Next::stuck:
      return owner_.on_stuck(timer.slot);
  }
}

}  // namespace pycgid
