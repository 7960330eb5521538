// What the forms of the status have in common, see forms.h.
#pragma once

#include "daemon/status/report.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pycgid {

// "2026-11-22T05:49:44Z"
std::string time_text(std::chrono::system_clock::time_point time);
// The same for a moment of the monotonic clock.
std::string time_text(std::chrono::steady_clock::time_point time);
// Seconds since 1970 of a moment of the monotonic clock.
std::int64_t unix_time(std::chrono::steady_clock::time_point time);
// "0.250000": seconds.
std::string seconds_text(std::chrono::nanoseconds time);
// How long ago.
Milliseconds since(std::chrono::steady_clock::time_point time);

std::uint64_t count_of(const TimeHistogram& histogram);
// "0.25": the upper bound of a bucket in seconds, "+Inf" for the last one.
std::string bound_text(std::size_t bucket);

// "serving", "starting" or "failed".
std::string_view state_word(const PoolReport& pool);
std::string_view outcome_word(const ReloadOutcome& outcome);
// Without what a terminal or UTF-8 would take amiss: a front may pass any bytes.
std::string plain_bytes(std::string_view text);

}  // namespace pycgid
