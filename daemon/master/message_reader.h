// Reads what the gateway has said, a limited number of messages in a turn of the master's loop: one
// that says more, as a gateway that was taken over by others might, keeps the master from nothing
// else. The link itself holds fewer: all that was said before the turn is read in it.
#pragma once

#include "daemon/link.h"

namespace pycgid {

class MessageReader {
 public:
  static constexpr int kMostAtOnce = 512;

  // `receive` fills a message, or returns false when there is none; `take` is given each. What it
  // throws ends the turn, not the reading.
  template <class Receive, class Take>
  void read(Receive receive, Take take) {
    more_ = true;
    for (int count = 0; count < kMostAtOnce; ++count) {
      Message message;
      if (!receive(message)) {
        more_ = false;
        return;
      }
      take(message);
    }
  }
  // Whether there may be more than was read: the next turn is not to wait.
  bool has_more() const { return more_; }

 private:
  bool more_ = false;
};

}  // namespace pycgid
