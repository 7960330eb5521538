// What a pool has done since its gateway started, for status pages: plain counters, incremented
// where things happen. The gateway's thread only.
#pragma once

#include "daemon/gateway/timer_wheel.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace pycgid {

// Why a request was answered with a status of 500 or more.
enum class Failure : std::uint8_t {
  application,      // it said so, or it raised an exception
  worker_died,      // while it ran the request
  queue_full,       // option "max-queue"
  queue_timeout,    // option "queue-timeout"
  request_timeout,  // option "request-timeout"
  not_started,      // the pool does not start
  internal          // for instance a temporary file that could not be written
};
inline constexpr std::size_t kFailures = 7;

// Which deadline of a connection has passed.
enum class Expiry : std::uint8_t { params, body, send };
inline constexpr std::size_t kExpiries = 3;

class TimeHistogram {
 public:
  // Upper bounds, inclusive; what is longer than the last has a bucket of its own.
  static constexpr std::array<unsigned, 12> kMilliseconds{1,   5,    10,   50,    100,   250,
                                                          500, 1000, 5000, 10000, 30000, 60000};

  void add(Clock::duration time) {
    const auto bound = std::ranges::find_if(kMilliseconds, [time](unsigned milliseconds) {
      return time <= std::chrono::milliseconds(milliseconds);
    });
    ++counts_[static_cast<std::size_t>(bound - kMilliseconds.begin())];
    sum_ += time;
  }
  const std::array<std::uint64_t, kMilliseconds.size() + 1>& counts() const { return counts_; }
  Clock::duration sum() const { return sum_; }

 private:
  std::array<std::uint64_t, kMilliseconds.size() + 1> counts_{};
  Clock::duration sum_{};
};

struct PoolStats {
  std::chrono::system_clock::time_point start = std::chrono::system_clock::now();
  Clock::time_point started = Clock::now();
  std::uint64_t connections = 0;
  std::size_t open_connections = 0;
  std::uint64_t requests = 0;  // that were complete enough for the application
  std::size_t max_queue = 0;
  std::size_t max_active = 0;
  std::uint64_t limit_reached = 0;  // times that requests began to wait for a thread
  std::uint64_t slow_requests = 0;  // option "slow-request"
  bool told_of_dropped_header = false;
  std::array<std::uint64_t, kFailures> failures{};
  std::array<std::uint64_t, kExpiries> expiries{};
  TimeHistogram queue_time;
  TimeHistogram duration;  // from the queue to the end of the answer

  void count(Failure cause) { ++failures[static_cast<std::size_t>(cause)]; }
  void count(Expiry deadline) { ++expiries[static_cast<std::size_t>(deadline)]; }
};

}  // namespace pycgid
