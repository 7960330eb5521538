// How many workers a pool should have, see pool_scaling.h.
#include "daemon/master/pool_scaling.h"

#include <algorithm>

namespace pycgid {
namespace {

constexpr std::chrono::seconds kStepEvery{1};
// Requests that wait again so soon are still the same rush.
constexpr std::chrono::seconds kRush{3};
// As php-fpm's pm.max_spawn_rate.
constexpr unsigned kMostAtOnce = 32;

unsigned divide_up(unsigned number, unsigned by) {
  return number / by + (number % by == 0 ? 0 : 1);
}

}  // namespace

unsigned PoolScaling::size_of_next(const PoolSettings& next, const Staff& staff) {
  return std::clamp(staff.total(), std::max(next.processes_min, 1U), next.processes_max);
}

unsigned PoolScaling::growth(const Staff& staff, unsigned waiting, TimePoint now) {
  if (now < not_before_ || staff.total() >= pool_.processes_max) return 0;
  if (stepped_ && now - *stepped_ < kStepEvery) return 0;
  const unsigned wanted = divide_up(waiting, pool_.threads);
  if (wanted <= staff.starting) return 0;
  const bool same_rush = stepped_ && now - *stepped_ < kRush;
  rate_ = same_rush ? std::min(rate_ * 2, kMostAtOnce) : 1;
  stepped_ = now;
  return std::min({rate_, wanted - staff.starting, pool_.processes_max - staff.total()});
}

std::chrono::milliseconds PoolScaling::start_failed(TimePoint now) {
  const std::chrono::milliseconds delay = backoff_.after_death({});
  not_before_ = now + delay;
  // The next try need not wait for its turn.
  stepped_.reset();
  return delay;
}

bool PoolScaling::shrinks(const Staff& staff, unsigned peak, TimePoint now) {
  if (now - reported_ > 3 * kReportEvery) reports_ = 0;
  reported_ = now;
  peaks_[reports_++ % kReports] = peak;
  if (reports_ < kReports || staff.starting > 0) return false;
  const unsigned needed = needed_for(*std::ranges::max_element(peaks_));
  return staff.ready > std::max(needed, pool_.processes_min);
}

unsigned PoolScaling::needed_for(unsigned peak) const {
  return divide_up(peak, divide_up(pool_.threads, 2));
}

}  // namespace pycgid
