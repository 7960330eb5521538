// When the sleeping threads of one worker are woken for requests that were handed to it. The
// gateway's thread only.
//
// A thread that runs Python takes the next request when it has answered its own: to wake another
// for it costs two futex calls and a change of the GIL, and gains nothing. Only where a thread
// blocks does a request need another one, and nobody tells. So: threads that all sleep are woken at
// once; else the queue is given kPatience to get on by itself. A worker whose queue did not is one
// that blocks: for its next requests, threads are woken as long as requests are queued.
#pragma once

#include "daemon/gateway/event_loop.h"
#include "pyhost/channel.h"

#include <cstdint>

namespace pycgid {

class ThreadWaker final : private Timer {
 public:
  // Both outlive it.
  ThreadWaker(pyhost::GatewayEnd& channel, unsigned threads, EventLoop& loop);

  // Requests were submitted.
  void wake();

 private:
  static constexpr std::chrono::milliseconds kPatience{1};
  static constexpr unsigned kEagerFor = 256;  // calls of wake()

  void on_timer() override;
  void be_eager(unsigned calls);
  void watch();

  pyhost::GatewayEnd& channel_;
  unsigned threads_;
  EventLoop& loop_;
  unsigned eager_ = 0;            // calls of wake() that are left
  std::uint32_t taken_seen_ = 0;  // when the timer was set
};

}  // namespace pycgid
