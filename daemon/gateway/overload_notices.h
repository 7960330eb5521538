// Tells the administrator that a pool has too little of something, and which option to raise: of
// each kind at most one line a minute, however many requests suffer. The gateway's thread only.
#pragma once

#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/pool_stats.h"
#include "daemon/gateway/repeated_notice.h"
#include "daemon/settings.h"

#include <cstddef>
#include <optional>
#include <string>

namespace pycgid {

class OverloadNotices {
 public:
  // Everything outlives it.
  OverloadNotices(EventLoop& loop, const PoolSettings& pool);

  // A request was answered 503 because of queue_full, queue_timeout or not_started. The first one
  // is told of at once, the others at the end of the minute.
  void refused(Failure cause);
  // All `threads` of as many workers as there may be are busy, and requests wait.
  void busy(std::size_t threads, std::size_t waiting);

 private:
  RepeatedNotice::Tell teller(Failure cause) const;
  void say(Failure cause, const std::string& how_often) const;

  EventLoop& loop_;
  const PoolSettings& pool_;
  RepeatedNotice full_;
  RepeatedNotice late_;
  RepeatedNotice not_started_;
  std::optional<Clock::time_point> said_busy_;
};

}  // namespace pycgid
