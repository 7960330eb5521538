// The one table of options. It drives the command line, the file, --help, range errors, -tt and the
// test that compares the manual pages with --help. To add an option: a row here, a field in
// settings.h (of Settings when it is global, of PoolSettings otherwise), an entry in
// man/pycgid.conf.5, a test.
#pragma once

#include "daemon/settings.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pycgid {

enum class OptionSection { sockets, application, interpreters, limits, process, logs, operation };

// Where in a file an option may stand.
enum class OptionScope {
  pool,
  global,   // before the first pool
  anywhere  // the gateway's there, and what pools have that say nothing; in a pool, its workers'
};

struct OptionRow;

// Stores a value, in the last pool or, when there is none yet, in the global settings; returns what
// is wrong with it ("must be between 1 and 1000"), "" when nothing is.
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
  OptionScope scope = OptionScope::pool;
};

std::span<const OptionRow> option_rows();

// Null when there is none of that name.
const OptionRow* find_option(std::string_view name);

// The built option whose name is nearest to a mistyped one, "" when none is near.
std::string_view nearest_option(std::string_view name);

// "Sockets", as a heading of --help.
std::string_view section_title(OptionSection section);

}  // namespace pycgid
