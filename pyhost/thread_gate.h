// Lets request threads begin only when all of them could be started, and tells when they have
// ended. Every function that waits is called detached.
#pragma once

#include <chrono>
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
  // For the main thread, when it runs no more requests. False: some of the others are not waited
  // for any longer. Does not return when another thread has taken over.
  bool wait_left(unsigned threads) {
    std::unique_lock lock(mutex_);
    main_left_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] {
      return state_ != State::taken_over && (left_ == threads || state_ == State::abandoned);
    });
    return left_ == threads;
  }

  // For the thread that sees to the worker's end. Whether all have ended within the time, `threads`
  // besides the main one.
  bool all_leave_within(std::chrono::milliseconds time, unsigned threads) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return main_left_ && left_ == threads; });
  }
  // Nobody is waited for any more: the main thread ends the process if it runs no request. If it
  // does (true), that is for the caller to do, and the main thread does not come back.
  bool take_over() {
    const std::lock_guard lock(mutex_);
    state_ = main_left_ ? State::abandoned : State::taken_over;
    changed_.notify_all();
    return state_ == State::taken_over;
  }
  // The caller could not: the main thread may try, when it has ended its request.
  void give_back() { change(State::abandoned); }

 private:
  enum class State { closed, open, given_up, abandoned, taken_over };

  void change(State state) {
    const std::lock_guard lock(mutex_);
    state_ = state;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::closed;  // guarded by mutex_
  bool main_left_ = false;       // guarded by mutex_
  unsigned left_ = 0;            // guarded by mutex_; besides the main thread
};

}  // namespace pyhost
