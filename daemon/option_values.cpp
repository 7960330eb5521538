// Values as administrators write them, see option_values.h.
#include "daemon/option_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

namespace pycgid {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 7> kSizeUnits{{{"", 1},
                                          {"K", 1ULL << 10},
                                          {"k", 1ULL << 10},
                                          {"M", 1ULL << 20},
                                          {"m", 1ULL << 20},
                                          {"G", 1ULL << 30},
                                          {"g", 1ULL << 30}}};
constexpr std::array<Unit, 6> kTimeUnits{
    {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

std::optional<std::uint64_t> parse_digits(std::string_view text, int base) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name != text.substr(digits)) continue;
    if (*number > std::numeric_limits<std::uint64_t>::max() / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

// Units as others write them, in small letters and without the "s" of a plural.
struct Synonym {
  std::string_view written;
  std::string_view unit;
};

constexpr std::array<Synonym, 13> kSizeSynonyms{{{"", ""},
                                                 {"b", ""},
                                                 {"byte", ""},
                                                 {"k", "K"},
                                                 {"kb", "K"},
                                                 {"kib", "K"},
                                                 {"m", "M"},
                                                 {"mb", "M"},
                                                 {"mib", "M"},
                                                 {"megabyte", "M"},
                                                 {"g", "G"},
                                                 {"gb", "G"},
                                                 {"gib", "G"}}};
constexpr std::array<Synonym, 14> kTimeSynonyms{{{"", ""},
                                                 {"ms", "ms"},
                                                 {"msec", "ms"},
                                                 {"millisecond", "ms"},
                                                 {"s", "s"},
                                                 {"sec", "s"},
                                                 {"second", "s"},
                                                 {"m", "m"},
                                                 {"min", "m"},
                                                 {"minute", "m"},
                                                 {"h", "h"},
                                                 {"hour", "h"},
                                                 {"d", "d"},
                                                 {"day", "d"}}};

std::string nearest(std::string_view text, std::span<const Synonym> synonyms) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string number(text.substr(0, digits));
  text.remove_prefix(std::min(text.find_first_not_of(" \t", digits), text.size()));
  if (number.empty()) return {};
  std::string written;
  for (char letter : text) {
    written += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  if (written.size() > 2 && written.ends_with('s') && written != "ms") written.pop_back();
  for (const Synonym& synonym : synonyms) {
    if (synonym.written == written) return number + std::string(synonym.unit);
  }
  return {};
}

}  // namespace

std::string nearest_size(std::string_view text) {
  return nearest(text, kSizeSynonyms);
}

std::string nearest_time(std::string_view text) {
  return nearest(text, kTimeSynonyms);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  return parse_digits(text, 10);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits);
}

std::optional<std::uint64_t> parse_time(std::string_view text) {
  return parse_with_unit(text, kTimeUnits);
}

std::optional<bool> parse_flag(std::string_view text) {
  for (std::string_view yes : {"yes", "on", "true", "1"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"no", "off", "false", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<unsigned> parse_mode(std::string_view text) {
  const auto mode = parse_digits(text, 8);
  if (!mode || *mode > 0777) return std::nullopt;
  return static_cast<unsigned>(*mode);
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::text;
  if (text == "plain") return LogFormat::plain;
  if (text == "json") return LogFormat::json;
  return std::nullopt;
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, LogLevel>, 5> kLevels{
      {{"error", LogLevel::error},
       {"warning", LogLevel::warning},
       {"notice", LogLevel::notice},
       {"info", LogLevel::info},
       {"debug", LogLevel::debug}}};
  for (const auto& [name, level] : kLevels) {
    if (name == text) return level;
  }
  return std::nullopt;
}

std::string size_text(std::uint64_t bytes) {
  for (const Unit& unit : {Unit{"G", 1ULL << 30}, Unit{"M", 1ULL << 20}, Unit{"K", 1ULL << 10}}) {
    if (bytes != 0 && bytes % unit.factor == 0) {
      return std::to_string(bytes / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(bytes);
}

}  // namespace pycgid
