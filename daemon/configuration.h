// The configuration as it was written: which option has which value, and where. Command line and
// file both become this, and it becomes Settings, or the text that -tt prints and that the master
// hands to a running gateway.
#pragma once

#include "daemon/option_table.h"
#include "daemon/settings.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

struct GivenOption {
  const OptionRow* row = nullptr;
  std::string value;
  std::string where{};  // "/etc/pycgid/pycgid.conf:12"; empty: on the command line
};

struct ConfigSection {
  std::string name{};   // the pool's; empty: the global section
  std::string where{};  // of its head
  std::vector<GivenOption> options{};

  bool has(std::string_view option) const;
};

struct Configuration {
  ConfigSection global;
  std::vector<ConfigSection> pools;
  std::vector<std::string> warnings{};  // of lines that look meant otherwise, for -t
};

// Writes down what follows from what was given: a pool without a user has the global one, one
// without a number of processes has a process for each CPU.
void complete(Configuration& configuration);

// Settings::pools are in the order of Configuration::pools. Throws StartupError: status 64 for what
// stands on the command line, 78 for what stands in a file.
Settings make_settings(const Configuration& configuration);

// An INI file that says the same, defaults included. Throws StartupError when a value cannot stand
// in a file.
std::string configuration_text(const ConfigSection& global, std::span<const ConfigSection> pools);

// The names of the options whose values differ, in the order of the table.
std::vector<std::string_view> changed_options(const ConfigSection& before,
                                              const ConfigSection& after);

}  // namespace pycgid
