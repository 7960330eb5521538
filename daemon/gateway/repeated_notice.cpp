#include "daemon/gateway/repeated_notice.h"

namespace pycgid {

RepeatedNotice::~RepeatedNotice() {
  if (more_ > 0) tell_(more_);
}

bool RepeatedNotice::is_due() {
  if (armed()) {
    ++more_;
    return false;
  }
  wait();
  return true;
}

void RepeatedNotice::count() {
  ++more_;
  if (!armed()) wait();
}

void RepeatedNotice::on_timer() {
  if (more_ == 0) return;
  wait();
  tell_(std::exchange(more_, 0));
}

}  // namespace pycgid
