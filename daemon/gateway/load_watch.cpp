#include "daemon/gateway/load_watch.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace pycgid {
namespace {

using std::chrono::milliseconds;

// Requests that wait for less are no reason for another worker.
constexpr milliseconds kPatience{100};
constexpr milliseconds kLookEvery{250};
// Nor is this a reason to tell the administrator.
constexpr milliseconds kBusyForLong{1000};
constexpr milliseconds kReportEvery{1000};  // PoolScaling counts on it

}  // namespace

LoadWatch::LoadWatch(EventLoop& loop, const PoolSettings& pool, LoadSource& source,
                     OverloadNotices& notices, TellMaster tell_master)
    : loop_(loop),
      pool_(pool),
      source_(source),
      notices_(notices),
      tell_master_(std::move(tell_master)) {}

void LoadWatch::note(const Load& load) {
  peak_ = std::max(peak_, load.active + load.queue);
  if (load.queue == 0) {
    waiting_since_.reset();
    return;
  }
  if (waiting_since_) return;
  waiting_since_ = loop_.now();
  if (look_.armed()) return;
  if (load.workers == 0) return look_at_queue();
  loop_.timers().set(look_, loop_.now() + kPatience);
}

void LoadWatch::look_at_queue() {
  if (!waiting_since_) return;
  source_.note_ended();
  const Load load = source_.load();
  const auto waited = loop_.now() - *waiting_since_;
  if (load.workers > 0 && waited < kPatience) {
    return loop_.timers().set(look_, *waiting_since_ + kPatience);
  }
  if (load.workers < pool_.processes_max) {
    ask_for_workers(load.queue);
  } else if (waited >= kBusyForLong) {
    notices_.busy(load.threads, load.queue);
  }
  loop_.timers().set(look_, loop_.now() + kLookEvery);
}

void LoadWatch::ask_for_workers(std::size_t waiting) {
  if (!is_elastic()) return;
  tell_master_({.type = MessageType::requests_wait, .count = static_cast<std::uint32_t>(waiting)});
}

void LoadWatch::refused() {
  if (look_.armed() || !is_elastic()) return;
  source_.note_ended();
  const Load load = source_.load();
  if (load.workers < pool_.processes_max) ask_for_workers(load.queue + 1);
  loop_.timers().set(look_, loop_.now() + kLookEvery);
}

void LoadWatch::workers_changed() {
  if (!is_elastic() || report_.armed()) return;
  loop_.timers().set(report_, loop_.now() + kReportEvery);
}

void LoadWatch::report() {
  source_.note_ended();
  const Load load = source_.load();
  if (load.workers <= pool_.processes_min) return;
  const std::size_t now = load.active + load.queue;
  tell_master_({.type = MessageType::load_report,
                .count = static_cast<std::uint32_t>(std::max(peak_, now))});
  peak_ = now;
  loop_.timers().set(report_, loop_.now() + kReportEvery);
}

}  // namespace pycgid
