// pycgid.conf(5): from INI text to a Configuration. Throws StartupError with status 78, which names
// file and line.
#pragma once

#include "daemon/configuration.h"

#include <string>
#include <string_view>

namespace pycgid {

inline constexpr std::string_view kDefaultConfigFile = "/etc/pycgid/pycgid.conf";

// The file and those that it includes.
Configuration read_config_file(const std::string& path);

// `name` stands for the file in messages, and says what a relative include is relative to.
Configuration parse_config_text(const std::string& text, const std::string& name);

// Where the configuration comes from, to be read at start and again on HUP.
struct ConfigSource {
  std::string file{};       // empty: the command line is all there is
  Configuration given{};    // on the command line; global options go before those of the file
  std::string directory{};  // what the options are relative to, see start_directory.h
  LibexecFiles* libexec_files = nullptr;  // not owned
};

// What is to be in force. Throws StartupError.
Configuration load_configuration(const ConfigSource& source);

}  // namespace pycgid
