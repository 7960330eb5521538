// The gateway's one loop: Asio's io_context for the few (timer, pipes, and the blocking wait), a
// Poller for the many (connections, listeners, workers' bells) and for the link, the timer wheel,
// and what is put off to the end of a turn. One thread.
#pragma once

#include "daemon/gateway/poller.h"
#include "daemon/gateway/timer_wheel.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace pycgid {

// What takes part in every turn: the gateway's workers and connections.
class TurnWork {
 public:
  // Takes what workers and connections have ready; true when there was something.
  virtual bool run_turn() = 0;
  // Whether what is to be done can wait for a nap: answers come so fast that several are there
  // after it, and no thread of a worker waits for its next request.
  virtual bool may_nap() = 0;
  // About to block: false when something became ready meanwhile.
  virtual bool prepare_sleep(bool nap) = 0;
  virtual void woke() = 0;

 protected:
  ~TurnWork() = default;
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs turns until stop().
  void run(TurnWork& work);
  void stop() { stopped_ = true; }

  Poller& poller() { return poller_; }
  // What ends a nap; edge-triggered.
  Poller& nap_poller() { return nap_poller_; }
  TimerWheel& timers() { return timers_; }
  // The time at the start of this turn.
  Clock::time_point now() const { return now_; }

  // The one buffer that all sockets are read into; its content does not survive the callback.
  std::span<char> read_buffer() { return read_buffer_; }

  // Calls `ready` whenever `fd` is readable, through Asio, until it returns false. The descriptor
  // is not owned and must stay open until then.
  void on_readable(int fd, std::function<bool()> ready);
  // Likewise, for one descriptor, but in one order with connections: what was readable before a
  // connection came is read before it is looked at.
  void on_readable_in_order(int fd, std::function<bool()> ready);

 private:
  struct AsioPart;
  class OrderedWatch;
  bool run_ready(TurnWork& work);
  void block(TurnWork& work);

  Poller poller_;
  Poller nap_poller_;
  bool can_nap_ = true;
  Clock::time_point now_;
  TimerWheel timers_;
  std::vector<char> read_buffer_;
  std::unique_ptr<AsioPart> asio_;
  std::unique_ptr<OrderedWatch> ordered_;
  bool stopped_ = false;
};

}  // namespace pycgid
