// Tells a worker from its forks. An application may fork and let the child live on: the child must
// neither answer requests nor keep the socket open by which the gateway sees that the worker died.
#pragma once

#include "pyhost/unique_fd.h"

namespace pyhost {

class ForkGuard {
 public:
  // `passing` is closed in every fork of this process; it has to outlive the guard.
  explicit ForkGuard(UniqueFd& passing);
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  bool forked() const { return forked_; }

 private:
  friend class ForkRegistry;

  UniqueFd& passing_;
  bool forked_ = false;  // changes in the only thread of a fork, before fork() returns
  ForkGuard* next_ = nullptr;
};

}  // namespace pyhost
