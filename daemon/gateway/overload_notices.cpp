#include "daemon/gateway/overload_notices.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <cstdint>
#include <string_view>

namespace pycgid {
namespace {

constexpr std::chrono::seconds kNoticeEvery{60};

std::string text_of(Shortage cause, const PoolSettings& pool) {
  const auto waited = [&pool] {
    return concat("requests waited for ", duration_text(pool.queue_timeout),
                  " (option \"queue-timeout\")");
  };
  switch (cause) {
    case Shortage::queue_full:
      return concat("the queue is full (option \"max-queue\" is ", pool.max_queue, ")");
    case Shortage::queue_timeout:
      return waited() + "; more get through at a time with options \"processes\" or \"threads\"";
    case Shortage::unserved:
      return waited() + ", and no worker was ready";
    case Shortage::not_started:
      return "no worker is ready";
    case Shortage::stopping:
      return "the daemon is stopping";
    case Shortage::removed:
      return "the pool was removed";
  }
  return {};
}

std::string threads_text(std::size_t threads) {
  return threads == 1 ? "the only thread is" : concat("all ", threads, " threads are");
}

}  // namespace

OverloadNotices::OverloadNotices(EventLoop& loop, const PoolSettings& pool)
    : loop_(loop),
      pool_(pool),
      notices_{{RepeatedNotice{loop, kNoticeEvery, teller(Shortage::queue_full)},
                RepeatedNotice{loop, kNoticeEvery, teller(Shortage::queue_timeout)},
                RepeatedNotice{loop, kNoticeEvery, teller(Shortage::unserved)},
                RepeatedNotice{loop, kNoticeEvery, teller(Shortage::not_started)},
                RepeatedNotice{loop, kNoticeEvery, teller(Shortage::stopping)},
                RepeatedNotice{loop, kNoticeEvery, teller(Shortage::removed)}}} {}

void OverloadNotices::refused(Shortage cause) {
  if (notices_[static_cast<std::size_t>(cause)].is_due()) say(cause, "");
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

RepeatedNotice::Tell OverloadNotices::teller(Shortage cause) const {
  return
      [this, cause](std::uint64_t more) { say(cause, concat(more, " more in the last minute: ")); };
}

void OverloadNotices::say(Shortage cause, const std::string& how_often) const {
  log_line(LogLevel::warning, pool_.name,
           concat("answered 503: ", how_often, text_of(cause, pool_)));
}

}  // namespace pycgid
