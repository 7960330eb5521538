// What the access log is told of an exchange.
#include "daemon/gateway/access_record.h"

#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/exchange.h"

#include <utility>

namespace pycgid {
namespace {

// The front wanted the answer no more before there was one; nginx's word for it.
constexpr int kClientClosedRequest = 499;

}  // namespace

AccessRecord Exchange::access_record() {
  AccessRecord record;
  record.complete = complete_;
  if (reply_.started()) {
    record.status = reply_.status();
    record.response_head = reply_.head_text();
    record.body_sent = reply_.body_bytes();
  } else {
    record.status = own_status_ != 0 ? own_status_ : kClientClosedRequest;
    const std::size_t head = own_answer_.empty() ? 0 : own_answer_.find("\r\n\r\n") + 4;
    record.body_sent = own_answer_.size() - head;
    own_answer_.resize(head);
    record.response_head = std::move(own_answer_);
  }
  record.request = std::move(request_);
  record.id = std::move(id_);
  record.body_received = received_ + data_.size();
  record.worker_pid = worker_pid_;
  const auto reached = [](Clock::time_point when, Clock::time_point otherwise) {
    return when != Clock::time_point{} ? when : otherwise;
  };
  record.began = began_;
  record.answered = context_.loop.now();
  record.taken = reached(taken_, record.answered);
  record.queued = reached(queued_since_, record.taken);
  return record;
}

}  // namespace pycgid
