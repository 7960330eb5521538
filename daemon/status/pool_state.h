// What the master alone knows of a pool: its generations, its last reload, its workers' deaths. It
// tells the gateway whenever that changes, for the status pages. Pure values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pycgid {

struct ReloadOutcome {
  std::chrono::steady_clock::time_point when{};
  std::uint32_t generation = 0;  // that was to take over
  bool ok = false;
  std::string reason{};  // of a failure
};

struct PoolState {
  std::uint32_t serving = 0;         // generation; 0: none yet
  std::uint32_t candidate = 0;       // generation that is being started; 0: none
  std::uint64_t deaths = 0;          // workers in service that ended unasked
  std::uint64_t recycled = 0;        // replaced: max-requests, max-rss, max-lifetime
  std::uint64_t reloads = 0;         // that took over
  std::uint64_t failed_reloads = 0;  // that did not
  std::optional<ReloadOutcome> last_reload{};
};

// One line for a message, and back; decode_pool_state gives nothing for what is not one.
std::string encode(const PoolState& state);
std::optional<PoolState> decode_pool_state(std::string_view text);

}  // namespace pycgid
