// An epoll set of our own for the many sockets, itself waited for by Asio as one descriptor:
// cheaper than an Asio operation for each readiness (DESIGN.md section 4). The gateway's thread
// only.
#pragma once

#include "pyhost/unique_fd.h"

#include <chrono>
#include <cstdint>

namespace pycgid {

// Something with a descriptor in the set. Whoever destroys one during a turn must do so after the
// turn's events (EventLoop::bury), since its events may be in the batch already.
class Watched {
 public:
  Watched() = default;
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  // `events`: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~Watched() = default;
};

class Poller {
 public:
  // Throws std::system_error.
  Poller();

  int fd() const { return epoll_.get(); }

  // Level-triggered. False when the kernel refuses (no memory, too many watches).
  bool add(int fd, std::uint32_t events, Watched& watched);
  // One whose events are handled alone, before those that were ready with it: it may destroy what
  // they are for, and hears of what was ready before them.
  bool add_first(int fd, std::uint32_t events, Watched& watched);
  void modify(int fd, std::uint32_t events, Watched& watched);
  // Closing a descriptor removes it as well, unless it was duplicated.
  void remove(int fd);

  // Calls on_events for everything that is ready now; true when there was something.
  bool dispatch();
  // Blocks until something is ready, without a call for it, or the time is over. False: this
  // kernel cannot wait for so short a time.
  bool wait(std::chrono::nanoseconds time) const;

 private:
  pyhost::UniqueFd epoll_;
  const Watched* first_ = nullptr;
};

}  // namespace pycgid
