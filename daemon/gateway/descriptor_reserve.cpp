#include "daemon/gateway/descriptor_reserve.h"

#include "pyhost/unique_fd.h"

#include <algorithm>
#include <fcntl.h>
#include <limits>
#include <sys/resource.h>
#include <unistd.h>

namespace pycgid {
namespace {

// A worker that starts needs four, each large body one.
constexpr rlim_t kMost = 64;
constexpr rlim_t kShare = 8;

}  // namespace

bool DescriptorReserve::is_out_of_reach() {
  read_limit();
  const pyhost::UniqueFd next(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  return next && next.get() < first_;
}

void DescriptorReserve::read_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t most = std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max());
  first_ = static_cast<int>(most - std::min(kMost, most / kShare));
}

}  // namespace pycgid
