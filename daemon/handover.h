// What the master hands to a running gateway when the configuration has changed, in words that both
// know: settings as a text file, listeners by name.
#pragma once

#include "daemon/configuration.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <string>
#include <string_view>
#include <utility>

namespace pycgid {

// Both throw StartupError.
pyhost::UniqueFd global_settings_file(const ConfigSection& global);
pyhost::UniqueFd pool_settings_file(const ConfigSection& pool);

// False, after a log line, when the text cannot be read: `settings` are as they were.
bool read_global_settings(const pyhost::UniqueFd& file, Settings& settings);
bool read_pool_settings(const pyhost::UniqueFd& file, PoolSettings& settings);

// "fastcgi 127.0.0.1:4000", and back.
std::string listener_name(Protocol protocol, std::string_view address);
std::pair<Protocol, std::string> parse_listener_name(const std::string& name);

}  // namespace pycgid
