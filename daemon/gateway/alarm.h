// A timer that calls a member function of its owner. As a member it is declared after the loop that
// it is set in, so that it has left the wheel before that goes.
#pragma once

#include "daemon/gateway/timer_wheel.h"

namespace pycgid {

template <class Owner>
class Alarm final : public Timer {
 public:
  // The owner outlives it.
  Alarm(Owner& owner, void (Owner::*action)()) : owner_(owner), action_(action) {}

 private:
  void on_timer() override { (owner_.*action_)(); }

  Owner& owner_;
  void (Owner::*action_)();
};

}  // namespace pycgid
