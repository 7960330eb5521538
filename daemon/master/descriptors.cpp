// Which descriptors a process holds, see descriptors.h.
#include "daemon/master/descriptors.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pycgid {
namespace {

// Kernels before 5.9 and some sandboxes have no close_range; then one by one.
void close_one_by_one(unsigned first, unsigned last) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto most = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 1U << 20));
  for (unsigned fd = first; fd <= std::min(last, most); ++fd) ::close(static_cast<int>(fd));
}

// By its number: not every C library has close_range(3).
bool close_at_once(unsigned first, unsigned last) {
#ifdef SYS_close_range
  return ::syscall(SYS_close_range, first, last, 0U) == 0 || errno != ENOSYS;
#else
  return false;
#endif
}

void close_between(unsigned first, unsigned last) {
  if (first > last) return;
  if (!close_at_once(first, last)) close_one_by_one(first, last);
}

}  // namespace

void open_standard_descriptors() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open() gives the lowest free number, which is this one.
    if (fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

void close_descriptors_except(std::span<int> kept) {
  std::ranges::sort(kept);
  unsigned next = STDERR_FILENO + 1;
  for (int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number < next) continue;
    close_between(next, number - 1);
    next = number + 1;
  }
  close_between(next, ~0U);
}

}  // namespace pycgid
