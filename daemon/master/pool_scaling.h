// How many workers a pool with `processes = MIN-MAX` should have: grows when requests wait, shrinks
// when it has had more than it needed for a while. Pure; the supervisor asks it and acts.
//
// Growth is php-fpm's: one worker, a second later two, then four and so on while requests still
// wait, never more than they need, and the workers that are being started count.
// A worker is surplus when the others, with half of their threads, could have run all that there
// was at any moment of the idle time. Half, because threads of one process share a GIL, and so that
// a pool does not start a worker again soon after it has ended one.
#pragma once

#include "daemon/master/backoff.h"
#include "daemon/settings.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace pycgid {

// The workers of the serving generation.
struct Staff {
  unsigned ready = 0;
  unsigned starting = 0;  // those whose start is due or delayed count, too
  unsigned total() const { return ready + starting; }
};

class PoolScaling {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // As php-fpm's pm.process_idle_timeout has it.
  static constexpr std::chrono::seconds kIdleTime{10};

  // `pool` outlives it.
  explicit PoolScaling(const PoolSettings& pool) : pool_(pool) {}

  bool is_elastic() const { return pool_.processes_min < pool_.processes_max; }
  // How many a new generation with these settings begins with, beside one that has `staff`. At
  // least one: it shows whether the application loads.
  static unsigned size_of_next(const PoolSettings& next, const Staff& staff);

  // `waiting` requests wait for a thread: how many workers to start now.
  unsigned growth(const Staff& staff, unsigned waiting, TimePoint now);
  // A worker that was started for waiting requests has failed before it was ready. Returns for how
  // long growth() starts none.
  std::chrono::milliseconds start_failed(TimePoint now);
  void start_succeeded() { backoff_ = {}; }

  // The gateway's report, which comes once a second while there are more workers than MIN: `peak`
  // requests at once were the most since the last one. True: one worker is surplus.
  bool shrinks(const Staff& staff, unsigned peak, TimePoint now);
  // There is a new generation, and it gets its idle time.
  void forget_reports() { reports_ = 0; }

 private:
  static constexpr std::chrono::seconds kReportEvery{1};
  static constexpr std::size_t kReports = kIdleTime / kReportEvery;

  unsigned needed_for(unsigned peak) const;

  const PoolSettings& pool_;
  unsigned rate_ = 1;
  std::optional<TimePoint> stepped_;  // when growth() last started some
  TimePoint not_before_{};
  Backoff backoff_;
  std::array<unsigned, kReports> peaks_{};
  std::size_t reports_ = 0;  // without a gap
  TimePoint reported_{};
};

}  // namespace pycgid
