#include "daemon/gateway/peer_notices.h"

#include "daemon/text.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

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

bool PeerNotices::is_due(const Notice& notice) {
  if (notice.level > LogLevel::notice) return true;  // who asks for such details gets them all
  return log_enabled(notice.level) && kept(notice).is_due();
}

RepeatedNotice& PeerNotices::kept(const Notice& notice) {
  std::string cause = cause_of(notice);
  if (const auto known = notices_.find(cause); known != notices_.end()) return known->second;
  if (notices_.size() >= kMostCauses) {
    std::erase_if(notices_, [](const auto& each) { return !each.second.armed(); });
  }
  if (notices_.size() >= kMostCauses) return notices_.begin()->second;
  return notices_.try_emplace(std::move(cause), loop_, kNoticeEvery, teller(notice)).first->second;
}

RepeatedNotice::Tell PeerNotices::teller(const Notice& notice) const {
  return [this, level = notice.level, what = std::string(notice.what),
          why = std::string(notice.why)](std::uint64_t more) {
    log_line(level, pool_.name, concat(what, ": ", more, " more in the last second: ", why));
  };
}

}  // namespace pycgid
