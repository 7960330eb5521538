// What the peers of a pool can have logged as often as they like, by bad requests, by bodies for
// which the disk has no room, or by connections that break the rules: of each cause at most one
// line a second, which tells of the others. The access log has all of them. The gateway's thread
// only.
#pragma once

#include "daemon/gateway/repeated_notice.h"
#include "daemon/log.h"
#include "daemon/settings.h"

#include <map>
#include <string>
#include <string_view>

namespace pycgid {

class PeerNotices {
 public:
  // Both outlive it.
  PeerNotices(EventLoop& loop, const PoolSettings& pool) : loop_(loop), pool_(pool) {}

  struct Notice {
    LogLevel level;
    std::string_view what;  // "answered 413" or the like
    std::string_view why;   // numbers in it make no other cause
  };
  // Whether it is to be said now, with whom it concerns: "request 5f3a-1: WHAT: WHY".
  bool is_due(const Notice& notice);

 private:
  RepeatedNotice& kept(const Notice& notice);
  RepeatedNotice::Tell teller(const Notice& notice) const;

  EventLoop& loop_;
  const PoolSettings& pool_;
  std::map<std::string, RepeatedNotice, std::less<>> notices_;  // by cause
};

}  // namespace pycgid
