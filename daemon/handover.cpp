// What the master hands to a running gateway, see handover.h.
#include "daemon/handover.h"

#include "daemon/address.h"
#include "daemon/config_file.h"
#include "daemon/log.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "daemon/text_file.h"

#include <algorithm>
#include <optional>
#include <span>
#include <system_error>

namespace pycgid {
namespace {

pyhost::UniqueFd text_file(const std::string& text) {
  try {
    return make_text_file(text);
  } catch (const std::system_error& error) {
    fail_start(ExitStatus::system, concat("cannot hand over the configuration: ", error.what()));
  }
}

// It was checked before it was handed over.
std::optional<Settings> read_settings(const pyhost::UniqueFd& file) {
  try {
    const std::optional<std::string> text = read_text_file(file);
    if (text) return make_settings(parse_config_text(*text, "handed over"));
    log_error("cannot read the new configuration, going on with the old one");
  } catch (const StartupError& error) {
    log_error(
        concat("cannot use the new configuration: ", error.text, ", going on with the old one"));
  }
  return std::nullopt;
}

}  // namespace

pyhost::UniqueFd global_settings_file(const ConfigSection& global) {
  return text_file(configuration_text(global, {}));
}

pyhost::UniqueFd pool_settings_file(const ConfigSection& pool) {
  return text_file(configuration_text({}, std::span(&pool, 1)));
}

bool read_global_settings(const pyhost::UniqueFd& file, Settings& settings) {
  std::optional<Settings> read = read_settings(file);
  if (!read) return false;
  read->libexec_dir = settings.libexec_dir;
  read->libexec_files = settings.libexec_files;
  read->start_dir = settings.start_dir;
  settings = std::move(*read);
  return true;
}

bool read_pool_settings(const pyhost::UniqueFd& file, PoolSettings& settings) {
  std::optional<Settings> read = read_settings(file);
  if (!read || read->pools.size() != 1) return false;
  settings = std::move(read->pools.front());
  return true;
}

std::string listener_name(Protocol protocol, std::string_view address) {
  return concat(option_name(protocol), " ", address);
}

std::pair<Protocol, std::string> parse_listener_name(const std::string& name) {
  const std::size_t blank = std::min(name.find(' '), name.size());
  const bool is_scgi = name.substr(0, blank) == option_name(Protocol::scgi);
  return {is_scgi ? Protocol::scgi : Protocol::fastcgi,
          name.substr(std::min(blank + 1, name.size()))};
}

}  // namespace pycgid
