// What the peers of a pool can have logged as often as they like, by bad requests, by bodies for
// which the disk has no room, or by connections that break the rules: of each cause at most one
// line a second, which tells of the others and why it was the last time. The access log has all of
// them. The gateway's thread only.
#pragma once

#include "daemon/gateway/repeated_notice.h"
#include "daemon/log.h"
#include "daemon/settings.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace pycgid {

class PeerNotices {
 public:
  // Both outlive it.
  PeerNotices(EventLoop& loop, const PoolSettings& pool);

  struct Notice {
    LogLevel level;
    std::string_view what;  // "answered 413" or the like
    std::string_view why;   // numbers in it make no other cause
  };
  // Whether it is to be said now, with whom it concerns: "request 5f3a-1: WHAT: WHY".
  bool is_due(const Notice& notice);

 private:
  // What is said with their number: the last one of a cause, or of all causes that are too many.
  struct Last {
    enum class Of { cause, many_causes };
    Last(EventLoop& loop, const PoolSettings& pool, Of of);
    void keep(const Notice& notice);
    void tell(std::uint64_t more);

    const PoolSettings& pool;
    Of of;
    LogLevel level = LogLevel::notice;  // the gravest
    std::string what;
    std::string why;
    RepeatedNotice repeated;
  };
  // Null: there are too many.
  Last* find(const Notice& notice);

  EventLoop& loop_;
  const PoolSettings& pool_;
  std::map<std::string, Last, std::less<>> causes_;
  Last others_;
};

}  // namespace pycgid
