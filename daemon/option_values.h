// Values as administrators write them, in options and configuration files. Pure; any thread.
// Each function gives nothing when the text is not such a value.
#pragma once

#include "daemon/settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pycgid {

// Decimal digits only.
std::optional<std::uint64_t> parse_number(std::string_view text);
// "4096", "256K", "1M", "2G" (either case), in bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);
// "250ms", "30s", "5m", "2h", "1d"; a bare number is seconds.
std::optional<std::uint64_t> parse_time(std::string_view text);
// yes, on, true, 1; no, off, false, 0.
std::optional<bool> parse_flag(std::string_view text);
// Octal permission bits, up to 0777.
std::optional<unsigned> parse_mode(std::string_view text);
std::optional<LogLevel> parse_log_level(std::string_view text);
std::optional<LogFormat> parse_log_format(std::string_view text);

// What was meant by "512MB" or "30 sec": "512M", "30s"; "" when that is not clear.
std::string nearest_size(std::string_view text);
std::string nearest_time(std::string_view text);

// The inverse of parse_size, for range messages: "64K", "1G", "100".
std::string size_text(std::uint64_t bytes);

}  // namespace pycgid
