#include "daemon/gateway/event_loop.h"

#include <utility>
// Boost 1.74 needs <utility> before its own headers in C++20.
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <sys/epoll.h>
#include <sys/prctl.h>

namespace pycgid {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

// Long enough for several answers of an application that takes little time, and nothing beside the
// time that requests wait for a thread when it happens.
constexpr std::chrono::microseconds kNap{100};
constexpr std::size_t kReadBytes = 128 * 1024;
// While there is always work, Asio's part (pipes) is looked at this often.
constexpr std::chrono::milliseconds kAsioEvery{1};

class ReadWatch;
using ReadWatches = std::vector<std::shared_ptr<ReadWatch>>;

// Watches a descriptor that belongs to somebody else. When that was read it joins `read`, to wait
// again when the turn is over: Asio's poll() ends when nothing is ready any more, which never comes
// with one that is written to without end.
class ReadWatch : public std::enable_shared_from_this<ReadWatch> {
 public:
  ReadWatch(boost::asio::io_context& io, int fd, std::function<bool()> ready, ReadWatches& read)
      : descriptor_(io, fd), ready_(std::move(ready)), read_(read) {}
  ReadWatch(const ReadWatch&) = delete;
  ReadWatch& operator=(const ReadWatch&) = delete;
  ~ReadWatch() {
    if (descriptor_.is_open()) descriptor_.release();
  }

  void wait() {
    descriptor_.async_wait(Descriptor::wait_read,
                           [self = shared_from_this()](boost::system::error_code error) {
                             if (!error && self->ready_()) self->read_.push_back(self);
                           });
  }

 private:
  Descriptor descriptor_;
  std::function<bool()> ready_;
  ReadWatches& read_;
};

}  // namespace

struct EventLoop::AsioPart {
  explicit AsioPart(int poller_fd) : poller(io, poller_fd) {}
  ~AsioPart() { poller.release(); }
  AsioPart(const AsioPart&) = delete;
  AsioPart& operator=(const AsioPart&) = delete;

  boost::asio::io_context io{1};
  ReadWatches read;  // they wait in io
  Descriptor poller;
  bool poller_armed = false;
  Clock::time_point polled{};

  void wait_again() {
    if (read.empty()) return;
    io.restart();  // it stops when nobody waits
    for (const auto& watch : read) watch->wait();
    read.clear();
  }

  // Makes run_one() return when the poller has something.
  void arm_poller() {
    if (std::exchange(poller_armed, true)) return;
    poller.async_wait(Descriptor::wait_read,
                      [this](boost::system::error_code) { poller_armed = false; });
  }
};

class EventLoop::OrderedWatch final : public Watched {
 public:
  OrderedWatch(Poller& poller, int fd, std::function<bool()> ready)
      : poller_(poller), fd_(fd), ready_(std::move(ready)) {
    poller_.add_first(fd_, EPOLLIN, *this);
  }
  void on_events(std::uint32_t) override {
    if (!ready_()) poller_.remove(fd_);
  }

 private:
  Poller& poller_;
  int fd_;
  std::function<bool()> ready_;
};

EventLoop::EventLoop()
    : now_(Clock::now()),
      timers_(now_),
      read_buffer_(kReadBytes),
      asio_(std::make_unique<AsioPart>(poller_.fd())) {
  // The kernel's default would make each nap half as long again.
  ::prctl(PR_SET_TIMERSLACK, 1000UL);
}

EventLoop::~EventLoop() = default;

void EventLoop::on_readable(int fd, std::function<bool()> ready) {
  std::make_shared<ReadWatch>(asio_->io, fd, std::move(ready), asio_->read)->wait();
}

void EventLoop::on_readable_in_order(int fd, std::function<bool()> ready) {
  ordered_ = std::make_unique<OrderedWatch>(poller_, fd, std::move(ready));
}

void EventLoop::run(TurnWork& work) {
  while (!stopped_) {
    if (!run_ready(work) && !stopped_) block(work);
  }
}

bool EventLoop::run_ready(TurnWork& work) {
  now_ = Clock::now();
  bool busy = poller_.dispatch();
  if (now_ - asio_->polled >= kAsioEvery) {
    asio_->polled = now_;
    busy |= asio_->io.poll() > 0;
    asio_->wait_again();
  }
  timers_.advance(now_);
  busy |= work.run_turn();
  return busy;
}

void EventLoop::block(TurnWork& work) {
  const bool nap_now = can_nap_ && work.may_nap();
  if (!work.prepare_sleep(nap_now)) {
    // There is something already.
  } else if (nap_now) {
    can_nap_ = nap_poller_.wait(kNap);
  } else {
    asio_->arm_poller();
    asio_->io.restart();
    if (const auto deadline = timers_.next()) {
      asio_->io.run_one_until(*deadline);
    } else {
      asio_->io.run_one();
    }
    asio_->wait_again();
  }
  work.woke();
}

}  // namespace pycgid
