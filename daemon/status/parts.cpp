// What the forms of the status have in common, see parts.h.
#include "daemon/status/parts.h"

#include "daemon/log.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <numeric>

namespace pycgid {
namespace {

using SystemClock = std::chrono::system_clock;

SystemClock::time_point wall_time(std::chrono::steady_clock::time_point time) {
  const auto ago = std::chrono::steady_clock::now() - time;
  return SystemClock::now() - std::chrono::duration_cast<SystemClock::duration>(ago);
}

}  // namespace

std::string time_text(SystemClock::time_point time) {
  const std::time_t seconds = SystemClock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

std::string time_text(std::chrono::steady_clock::time_point time) {
  return time_text(wall_time(time));
}

std::int64_t unix_time(std::chrono::steady_clock::time_point time) {
  return SystemClock::to_time_t(wall_time(time));
}

std::string seconds_text(std::chrono::nanoseconds time) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.6f", std::chrono::duration<double>(time).count());
  return text.data();
}

Milliseconds since(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - time);
}

std::uint64_t count_of(const TimeHistogram& histogram) {
  const auto& counts = histogram.counts();
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::string bound_text(std::size_t bucket) {
  if (bucket == TimeHistogram::kMilliseconds.size()) return "+Inf";
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%g", TimeHistogram::kMilliseconds[bucket] / 1000.0);
  return text.data();
}

std::string_view state_word(const PoolReport& pool) {
  if (!pool.failure.empty()) return "failed";
  return pool.state.serving != 0 ? "serving" : "starting";
}

std::string_view outcome_word(const ReloadOutcome& outcome) {
  return outcome.ok ? "ok" : "failed";
}

std::string plain_bytes(std::string_view text) {
  std::string result;
  for (char character : escape_control(text)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x80) {
      result += character;
      continue;
    }
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(byte));
    result += escape.data();
  }
  return result;
}

}  // namespace pycgid
