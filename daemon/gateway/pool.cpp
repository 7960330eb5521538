#include "daemon/gateway/pool.h"

namespace pycgid {

void Pool::adopt_next() {
  access_log.flush();
  settings_ = std::move(next_->settings);
  access_log.reconfigure();
  access_log.open(std::move(next_->access_log));
  slow_log->open(settings_, std::move(next_->slow_log));
  next_.reset();
}

void Pool::take_over(std::uint32_t generation) {
  if (next_ && generation >= next_->generation) adopt_next();
  dispatcher.take_over(generation);
  record.failure.clear();
}

void Pool::refuse(std::string why) {
  record.failure = why;
  dispatcher.refuse_all(std::move(why));
}

void Pool::give_up_start(std::string why) {
  if (!std::exchange(opened, true)) dispatcher.refuse_all(std::move(why));
}

void Pool::note_state(std::string_view text) {
  if (std::optional<PoolState> state = decode_pool_state(text)) record.state = std::move(*state);
}

}  // namespace pycgid
