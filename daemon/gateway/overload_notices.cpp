#include "daemon/gateway/overload_notices.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <cstdint>
#include <string_view>

namespace pycgid {
namespace {

constexpr std::chrono::seconds kNoticeEvery{60};

std::string text_of(Failure cause, const PoolSettings& pool) {
  switch (cause) {
    case Failure::queue_full:
      return concat("the queue is full (option \"max-queue\" is ", pool.max_queue, ")");
    case Failure::queue_timeout:
      return concat("requests waited for ", duration_text(pool.queue_timeout),
                    " (option \"queue-timeout\"); more get through at a time with options "
                    "\"processes\" or \"threads\"");
    default:
      return "no worker is ready";
  }
}

std::string threads_text(std::size_t threads) {
  return threads == 1 ? "the only thread is" : concat("all ", threads, " threads are");
}

}  // namespace

OverloadNotices::OverloadNotices(EventLoop& loop, const PoolSettings& pool)
    : loop_(loop),
      pool_(pool),
      full_(loop, kNoticeEvery, teller(Failure::queue_full)),
      late_(loop, kNoticeEvery, teller(Failure::queue_timeout)),
      not_started_(loop, kNoticeEvery, teller(Failure::not_started)) {}

void OverloadNotices::refused(Failure cause) {
  RepeatedNotice* const notice = cause == Failure::queue_full      ? &full_
                                 : cause == Failure::queue_timeout ? &late_
                                 : cause == Failure::not_started   ? &not_started_
                                                                   : nullptr;
  if (notice != nullptr && notice->is_due()) say(cause, "");
}

void OverloadNotices::busy(std::size_t threads, std::size_t waiting) {
  if (said_busy_ && loop_.now() - *said_busy_ < kNoticeEvery) return;
  said_busy_ = loop_.now();
  const bool is_range = pool_.processes_min < pool_.processes_max;
  const std::string_view begin = is_range ? "as many workers as there may be: " : "";
  log_line(LogLevel::notice, pool_.name,
           concat(begin, threads_text(threads), " busy and ", waiting,
                  waiting == 1 ? " request waits" : " requests wait",
                  " (option \"processes\" or \"threads\")"));
}

RepeatedNotice::Tell OverloadNotices::teller(Failure cause) const {
  return
      [this, cause](std::uint64_t more) { say(cause, concat(more, " more in the last minute: ")); };
}

void OverloadNotices::say(Failure cause, const std::string& how_often) const {
  log_line(LogLevel::warning, pool_.name,
           concat("answered 503: ", how_often, text_of(cause, pool_)));
}

}  // namespace pycgid
