#include "daemon/gateway/overload_notices.h"

#include "daemon/log.h"
#include "daemon/text.h"

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
      full_(loop, pool, Failure::queue_full),
      late_(loop, pool, Failure::queue_timeout),
      not_started_(loop, pool, Failure::not_started) {}

void OverloadNotices::refused(Failure cause) {
  if (cause == Failure::queue_full) full_.add();
  if (cause == Failure::queue_timeout) late_.add();
  if (cause == Failure::not_started) not_started_.add();
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

void OverloadNotices::Refusals::add() {
  if (armed()) {
    ++more_;
    return;
  }
  say("");
  loop_.timers().set(*this, loop_.now() + kNoticeEvery);
}

void OverloadNotices::Refusals::on_timer() {
  if (more_ == 0) return;
  say(concat(more_, " more in the last minute: "));
  more_ = 0;
  loop_.timers().set(*this, loop_.now() + kNoticeEvery);
}

void OverloadNotices::Refusals::say(const std::string& how_often) const {
  log_line(LogLevel::warning, pool_.name,
           concat("answered 503: ", how_often, text_of(cause_, pool_)));
}

}  // namespace pycgid
