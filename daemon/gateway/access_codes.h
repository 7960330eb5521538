// The codes of option "access-format": what each of them reads from a record. Used by
// access_format.cpp alone.
#pragma once

#include "daemon/gateway/access_format.h"

#include <span>
#include <string>
#include <string_view>

namespace pycgid {

struct AccessCode {
  enum class Argument { none, fixed, any };
  char letter;
  Argument takes = Argument::none;
  // fixed: the only one that is known. none: what `text_of` is given instead.
  std::string_view argument{};
  AccessFormat::Text text_of = nullptr;
  AccessFormat::Number number_of = nullptr;
  AccessFormat::Raw append = nullptr;
};

// Null when there is none. `argument` is empty where the code has no braces.
const AccessCode* find_access_code(char letter, std::string_view argument);

// A field of an object of the ready format "json".
struct JsonField {
  std::string_view key;
  char letter;
  std::string_view argument{};
};

// In their order. Theirs are codes of the table.
std::span<const JsonField> json_fields();

}  // namespace pycgid
