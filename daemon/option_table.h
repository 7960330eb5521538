// The one table of options. It drives the command line, --help, range errors and the test that
// compares the manual page with --help. To add an option: a row here, a field in settings.h, an
// entry in man/pycgid.8, a test.
#pragma once

#include "daemon/settings.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pycgid {

enum class OptionSection { sockets, application, interpreters, limits, process, logs, operation };

struct OptionRow;

// Stores a value; returns what is wrong with it ("must be between 1 and 1000"), "" when nothing is.
using OptionSetter = std::string (*)(Settings& settings, std::string_view value,
                                     const OptionRow& row);

struct OptionRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

struct OptionRow {
  std::string_view name;
  std::string_view placeholder;   // of its value in --help; empty: a flag
  std::string_view default_text;  // empty: none
  OptionSection section = OptionSection::operation;
  std::string_view help{};
  OptionSetter set = nullptr;  // null: part of the contract, not built yet
  OptionRange range{};
  bool repeatable = false;
};

std::span<const OptionRow> option_rows();

// Null when there is none of that name.
const OptionRow* find_option(std::string_view name);

// The built option whose name is nearest to a mistyped one, "" when none is near.
std::string_view nearest_option(std::string_view name);

// "Sockets", as a heading of --help.
std::string_view section_title(OptionSection section);

}  // namespace pycgid
