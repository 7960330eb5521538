// Lets request threads begin only when all of them could be started, and tells when they have
// ended. Every function that waits is called detached.
#pragma once

#include <condition_variable>
#include <mutex>

namespace pyhost {

class ThreadGate {
 public:
  // For a request thread, first of all. False: there will be no requests.
  bool wait_open() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ != State::closed; });
    return state_ == State::open;
  }
  // For a request thread that was let in, last of all.
  void leave() {
    const std::lock_guard lock(mutex_);
    ++left_;
    changed_.notify_all();
  }

  void open() { change(State::open); }
  void give_up() { change(State::given_up); }
  void wait_left(unsigned threads) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return left_ == threads; });
  }

 private:
  enum class State { closed, open, given_up };

  void change(State state) {
    const std::lock_guard lock(mutex_);
    state_ = state;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::closed;  // guarded by mutex_
  unsigned left_ = 0;            // guarded by mutex_
};

}  // namespace pyhost
