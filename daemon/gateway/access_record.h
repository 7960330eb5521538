// What the access log is told of one request, when its last byte has left or nobody wants it any
// more. A value; the gateway's thread.
#pragma once

#include "daemon/gateway/cgi_request.h"
#include "daemon/gateway/timer_wheel.h"

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace pycgid {

struct AccessRecord {
  // When the request began to arrive, by the wall clock, in UTC.
  struct Received {
    std::time_t seconds = 0;
    std::uint32_t microseconds = 0;
    std::tm utc{};
  };

  CgiRequest request;
  std::string id;
  std::string_view pool;
  // The answer's header lines, whoever gave it.
  std::string response_head;
  int status = 0;
  // The whole answer was sent.
  bool complete = false;
  std::uint64_t body_received = 0;
  std::uint64_t body_sent = 0;
  // The worker that had it last; 0: none.
  std::int32_t worker_pid = 0;
  // Of those that it did not come to, the next one's time.
  Clock::time_point began;     // its first byte
  Clock::time_point queued;    // it was complete enough for the application
  Clock::time_point taken;     // a thread took it
  Clock::time_point answered;  // the application had given its whole answer
  Clock::time_point ended;     // the last byte left
  Received received;
};

}  // namespace pycgid
