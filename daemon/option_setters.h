// Setters of the option table: one template for each kind of value, parameterised with the field
// that it fills. Included by option_table.cpp alone.
#pragma once

#include "daemon/option_table.h"
#include "daemon/option_values.h"
#include "daemon/settings.h"
#include "daemon/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace pycgid {

// A field of Settings, or of the pool that is being described.
template <auto Member>
auto& field(Settings& settings) {
  if constexpr (requires { settings.*Member; }) {
    return settings.*Member;
  } else {
    return settings.pools.back().*Member;
  }
}

// Fills the field when the value lies in the row's range; `show` writes the bounds in its unit.
template <auto Member>
std::string set_in_range(Settings& settings, std::optional<std::uint64_t> value,
                         const OptionRow& row, std::string (*show)(std::uint64_t)) {
  if (!value || *value < row.range.least || *value > row.range.most) {
    return concat("must be between ", show(row.range.least), " and ", show(row.range.most));
  }
  using Field = std::decay_t<decltype(field<Member>(settings))>;
  field<Member>(settings) = static_cast<Field>(*value);
  return {};
}

inline std::string time_text(std::uint64_t milliseconds) {
  return duration_text(Milliseconds(milliseconds));
}

// `what` names the units that there are; `nearest` is what was meant, or "".
inline std::string no_such_value(std::string_view what, const std::string& nearest) {
  std::string text = concat("must be ", what, ", without a blank");
  if (!nearest.empty()) text += concat("; did you mean ", in_quotes(nearest), "?");
  return text;
}

template <auto Member>
std::string set_number(Settings& settings, std::string_view value, const OptionRow& row) {
  return set_in_range<Member>(settings, parse_number(value), row, std::to_string);
}

template <auto Member>
std::string set_size(Settings& settings, std::string_view value, const OptionRow& row) {
  const auto size = parse_size(value);
  const std::string nearest = nearest_size(value);
  // As it is written already: too large a number.
  if (!size && nearest != value) {
    return no_such_value("bytes, or a number with K, M or G behind it", nearest);
  }
  return set_in_range<Member>(settings, size, row, size_text);
}

template <auto Member>
std::string set_time(Settings& settings, std::string_view value, const OptionRow& row) {
  const auto time = parse_time(value);
  const std::string nearest = nearest_time(value);
  if (!time && nearest != value) {
    return no_such_value("seconds, or a number with ms, s, m, h or d behind it", nearest);
  }
  return set_in_range<Member>(settings, time, row, time_text);
}

template <auto Member>
std::string set_flag(Settings& settings, std::string_view value, const OptionRow&) {
  const auto flag = parse_flag(value);
  if (!flag) return "must be yes or no";
  field<Member>(settings) = *flag;
  return {};
}

template <auto Member>
std::string set_mode(Settings& settings, std::string_view value, const OptionRow&) {
  const auto mode = parse_mode(value);
  if (!mode) return "must be octal permissions, 0 to 0777";
  field<Member>(settings) = *mode;
  return {};
}

template <auto Member>
std::string set_text(Settings& settings, std::string_view value, const OptionRow&) {
  if (value.empty()) return "must not be empty";
  field<Member>(settings) = value;
  return {};
}

template <auto Member>
std::string set_file(Settings& settings, std::string_view value, const OptionRow&) {
  if (value.empty()) return "must not be empty";
  field<Member>(settings).path = value;
  return {};
}

template <auto Member>
std::string append_text(Settings& settings, std::string_view value, const OptionRow&) {
  if (value.empty()) return "must not be empty";
  field<Member>(settings).emplace_back(value);
  return {};
}

}  // namespace pycgid
