// See timer_wheel.h. A timer hangs in the slot of its deadline's tick, whatever the round, so that
// only the slots between two calls of advance() need looking at.
#include "daemon/gateway/timer_wheel.h"

#include <algorithm>

namespace pycgid {

void Timer::link(Timer*& list) {
  next_ = list;
  previous_ = &list;
  if (next_) next_->previous_ = &next_;
  list = this;
}

void Timer::unlink() {
  *previous_ = next_;
  if (next_) next_->previous_ = previous_;
  previous_ = nullptr;
}

void Timer::cancel() {
  if (!armed()) return;
  unlink();
  --wheel_->armed_;
}

TimerWheel::~TimerWheel() {
  for (Timer*& head : slots_) {
    while (head) head->cancel();
  }
}

void TimerWheel::set(Timer& timer, Clock::time_point deadline) {
  timer.cancel();
  timer.wheel_ = this;
  timer.deadline_ = deadline;
  // advance() looks at no slot before the one of now_.
  timer.link(slot(std::max(tick_of(deadline), tick_of(now_))));
  ++armed_;
  next_ = std::min(next_, deadline);
}

void TimerWheel::advance(Clock::time_point now) {
  if (now < next_) return;
  collect_due(now);
  now_ = now;
  next_ = earliest();
  // One by one from the front: on_timer() may cancel or destroy any of those that remain.
  while (due_) {
    Timer& timer = *due_;
    timer.cancel();
    timer.on_timer();
  }
}

// Moves what is due from the slots to due_. The slots of both ends count: parts of their ticks may
// be over, and parts to come. Backwards, so that the earliest tick comes first in due_.
void TimerWheel::collect_due(Clock::time_point now) {
  const Ticks from = tick_of(now_);
  const Ticks to = std::min(tick_of(now), from + static_cast<Ticks>(kSlots) - 1);
  for (Ticks tick = to; tick >= from; --tick) {
    for (Timer* timer = slot(tick); timer;) {
      Timer* const after = timer->next_;
      if (timer->deadline_ <= now) {
        timer->unlink();
        timer->link(due_);
      }
      timer = after;
    }
  }
}

// The first deadline in a slot that is in its round; with none in this round, the next one's start.
Clock::time_point TimerWheel::earliest() const {
  if (armed_ == 0) return Clock::time_point::max();
  const Ticks start = tick_of(now_);
  const Ticks end = start + static_cast<Ticks>(kSlots);
  for (Ticks tick = start; tick < end; ++tick) {
    Clock::time_point first = Clock::time_point::max();
    for (const Timer* timer = slot(tick); timer; timer = timer->next_) {
      first = std::min(first, timer->deadline_);
    }
    if (first != Clock::time_point::max() && tick_of(first) <= tick) return first;
  }
  return Clock::time_point(end * kTick);
}

std::optional<Clock::time_point> TimerWheel::next() const {
  if (armed_ == 0) return std::nullopt;
  return next_;
}

}  // namespace pycgid
