// One line of pycgid.conf(5), and its inverse. Pure; any thread.
//
//   # comment                      at the start of a line, or behind a blank
//   [NAME]                         head of a pool
//   NAME = VALUE                   blanks around both do not count
//   NAME = "VALUE"                 literal but for \" and \\            # comment
//   NAME = 'VALUE'                 literal
//   env = NAME="VALUE"             as env = "NAME=VALUE"; single quotes likewise
//
// Quotes elsewhere in a value belong to it: access-format has them.
#pragma once

#include <string>
#include <string_view>

namespace pycgid {

struct ConfigLine {
  enum class Kind { blank, head, option, wrong };
  Kind kind = Kind::blank;
  std::string name{};     // of the pool, or of the option
  std::string value{};    // of the option
  std::string problem{};  // why it is wrong
  std::string warning{};  // what looks meant otherwise; empty: nothing
};

// `line` without its newline.
ConfigLine read_config_line(std::string_view line);

// VALUE as it stands in such a line: in quotes where it has to be.
std::string write_config_value(std::string_view option, std::string_view value);

// Whether it can stand in a line at all.
bool fits_in_line(std::string_view value);

}  // namespace pycgid
