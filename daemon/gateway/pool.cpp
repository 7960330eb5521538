#include "daemon/gateway/pool.h"

namespace pycgid {

void Pool::adopt_next() {
  access_log.flush();
  settings_ = std::move(next_->settings);
  access_log.reconfigure();
  access_log.open(std::move(next_->access_log));
  slow_log->open(std::move(next_->slow_log));
  next_.reset();
}

void Pool::take_over(std::uint32_t generation) {
  if (next_ && generation >= next_->generation) adopt_next();
  dispatcher.take_over(generation);
}

}  // namespace pycgid
