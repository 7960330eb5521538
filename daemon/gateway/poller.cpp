#include "daemon/gateway/poller.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <linux/time_types.h>
#include <span>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace pycgid {

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

bool Poller::add(int fd, std::uint32_t events, Watched& watched) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watched;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

bool Poller::add_first(int fd, std::uint32_t events, Watched& watched) {
  first_ = &watched;
  return add(fd, events, watched);
}

void Poller::modify(int fd, std::uint32_t events, Watched& watched) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watched;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

// By the call's number: not every C library has epoll_pwait2(2). Its time has 64 bits everywhere.
bool Poller::wait(std::chrono::nanoseconds time) const {
  std::array<epoll_event, 64> events;
  const __kernel_timespec left{0, time.count()};
  const long count = ::syscall(SYS_epoll_pwait2, epoll_.get(), events.data(), events.size(), &left,
                               nullptr, std::size_t{0});
  return count >= 0 || errno == EINTR;
}

bool Poller::dispatch() {
  std::array<epoll_event, 128> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  const std::span ready(events.data(), static_cast<std::size_t>(std::max(count, 0)));
  // The others are level-triggered, or bells, which need no more than that somebody woke: they come
  // again, if there is still anything to come.
  for (const epoll_event& event : ready) {
    if (event.data.ptr != first_) continue;
    static_cast<Watched*>(event.data.ptr)->on_events(event.events);
    return true;
  }
  for (const epoll_event& event : ready) {
    static_cast<Watched*>(event.data.ptr)->on_events(event.events);
  }
  return !ready.empty();
}

}  // namespace pycgid
