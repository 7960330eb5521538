// fork() has no object to call back, so the guards of a process stand in one list.
#include "pyhost/internal/channel_fork.h"

#include "pyhost/own_fds.h"

#include <mutex>
#include <pthread.h>

namespace pyhost {

class ForkRegistry {
 public:
  static ForkRegistry& instance() {
    static ForkRegistry registry;
    return registry;
  }

  void add(ForkGuard& guard) {
    const std::lock_guard lock(mutex_);
    guard.next_ = first_;
    first_ = &guard;
  }

  void remove(const ForkGuard& guard) {
    const std::lock_guard lock(mutex_);
    ForkGuard** link = &first_;
    while (*link != &guard) link = &(*link)->next_;
    *link = guard.next_;
  }

 private:
  ForkRegistry() { ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

  // The lock is held over fork(), so that the child's list is whole.
  static void before_fork() { instance().mutex_.lock(); }
  static void after_fork_in_parent() { instance().mutex_.unlock(); }
  static void after_fork_in_child() {
    for (ForkGuard* guard = instance().first_; guard != nullptr; guard = guard->next_) {
      guard->forked_ = true;
      close_ours(guard->passing_);
    }
    instance().mutex_.unlock();
  }

  std::mutex mutex_;
  ForkGuard* first_ = nullptr;  // guarded by mutex_
};

ForkGuard::ForkGuard(UniqueFd& passing) : passing_(passing) {
  ForkRegistry::instance().add(*this);
}

ForkGuard::~ForkGuard() {
  ForkRegistry::instance().remove(*this);
}

}  // namespace pyhost
