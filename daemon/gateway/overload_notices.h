// Tells the administrator that a pool has too little of something, and which option to raise: of
// each kind at most one line a minute, however many requests suffer. The gateway's thread only.
#pragma once

#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/repeated_notice.h"
#include "daemon/settings.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace pycgid {

// Why requests are answered 503; each is told of by itself.
enum class Shortage : std::uint8_t {
  queue_full,
  queue_timeout,
  unserved,  // queue_timeout, and no worker was there for them
  not_started,
  stopping,
  removed
};
inline constexpr std::size_t kShortages = 6;

class OverloadNotices {
 public:
  // Everything outlives it.
  OverloadNotices(EventLoop& loop, const PoolSettings& pool);

  // A request was answered 503. The first one is told of at once, the others at the end of the
  // minute, or of the pool.
  void refused(Shortage cause);
  // All `threads` of as many workers as there may be are busy, and requests wait.
  void busy(std::size_t threads, std::size_t waiting);

 private:
  RepeatedNotice::Tell teller(Shortage cause) const;
  void say(Shortage cause, const std::string& how_often) const;

  EventLoop& loop_;
  const PoolSettings& pool_;
  std::array<RepeatedNotice, kShortages> notices_;  // by Shortage
  std::optional<Clock::time_point> said_busy_;
};

}  // namespace pycgid
