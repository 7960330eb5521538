#include "daemon/gateway/peer_notices.h"

#include "daemon/text.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace pycgid {
namespace {

constexpr std::chrono::seconds kNoticeEvery{1};
// Reasons are words of ours, but a library's may be among them.
constexpr std::size_t kMostCauses = 64;

std::string cause_of(const PeerNotices::Notice& notice) {
  std::string cause = concat(notice.what, ": ");
  std::copy_if(notice.why.begin(), notice.why.end(), std::back_inserter(cause),
               [](char c) { return c < '0' || c > '9'; });
  return cause;
}

}  // namespace

PeerNotices::Last::Last(EventLoop& loop, const PoolSettings& its_pool, Of its_kind)
    : pool(its_pool),
      of(its_kind),
      repeated(loop, kNoticeEvery, [this](std::uint64_t more) { tell(more); }) {}

void PeerNotices::Last::keep(const Notice& notice) {
  level = std::min(level, notice.level);
  what = notice.what;
  why = notice.why;
}

void PeerNotices::Last::tell(std::uint64_t more) {
  const std::string text =
      of == Of::cause ? concat(what, ": ", more, " more in the last second: ", why)
                      : concat(more, " more in the last second, of too many causes to tell each; ",
                               "the last: ", what, ": ", why);
  log_line(std::exchange(level, LogLevel::notice), pool.name, text);
}

PeerNotices::PeerNotices(EventLoop& loop, const PoolSettings& pool)
    : loop_(loop), pool_(pool), others_(loop, pool, Last::Of::many_causes) {}

bool PeerNotices::is_due(const Notice& notice) {
  if (notice.level > LogLevel::notice) return true;  // who asks for such details gets them all
  if (!log_enabled(notice.level)) return false;
  Last* const cause = find(notice);
  Last& last = cause != nullptr ? *cause : others_;
  last.keep(notice);
  if (cause != nullptr) return cause->repeated.is_due();
  others_.repeated.count();
  return false;
}

PeerNotices::Last* PeerNotices::find(const Notice& notice) {
  std::string cause = cause_of(notice);
  if (const auto known = causes_.find(cause); known != causes_.end()) return &known->second;
  if (causes_.size() >= kMostCauses) {
    std::erase_if(causes_, [](const auto& each) { return !each.second.repeated.armed(); });
  }
  if (causes_.size() >= kMostCauses) return nullptr;
  return &causes_.try_emplace(std::move(cause), loop_, pool_, Last::Of::cause).first->second;
}

}  // namespace pycgid
