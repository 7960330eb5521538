// A pool's state as the text of a message, see pool_state.h:
//
//   serving candidate deaths recycled reloads failed [when generation ok reason ...]
//
// `when` in nanoseconds of the monotonic clock, which master and gateway share.
#include "daemon/status/pool_state.h"

#include "daemon/text.h"

#include <sstream>

namespace pycgid {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

std::optional<ReloadOutcome> decode_outcome(std::istringstream& words) {
  ReloadOutcome outcome;
  std::int64_t when = 0;
  if (!(words >> when >> outcome.generation >> outcome.ok)) return std::nullopt;
  outcome.when = SteadyTime(std::chrono::nanoseconds(when));
  words.ignore();
  std::getline(words, outcome.reason, '\0');
  return outcome;
}

}  // namespace

std::string encode(const PoolState& state) {
  std::string text = concat(state.serving, " ", state.candidate, " ", state.deaths, " ",
                            state.recycled, " ", state.reloads, " ", state.failed_reloads);
  if (!state.last_reload) return text;
  const ReloadOutcome& last = *state.last_reload;
  const auto when = std::chrono::nanoseconds(last.when.time_since_epoch()).count();
  return concat(text, " ", when, " ", last.generation, " ", last.ok ? 1 : 0, " ", last.reason);
}

std::optional<PoolState> decode_pool_state(std::string_view text) {
  std::istringstream words{std::string(text)};
  PoolState state;
  if (!(words >> state.serving >> state.candidate >> state.deaths >> state.recycled >>
        state.reloads >> state.failed_reloads)) {
    return std::nullopt;
  }
  state.last_reload = decode_outcome(words);
  return state;
}

}  // namespace pycgid
