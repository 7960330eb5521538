#include "daemon/gateway/repeated_notice.h"

namespace pycgid {

bool RepeatedNotice::is_due() {
  if (armed()) {
    ++more_;
    return false;
  }
  wait();
  return true;
}

void RepeatedNotice::on_timer() {
  if (more_ == 0) return;
  wait();
  tell_(std::exchange(more_, 0));
}

}  // namespace pycgid
