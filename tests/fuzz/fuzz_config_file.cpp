// libFuzzer target: pycgid.conf(5), from its bytes to settings and back. What is accepted reads the
// same when it is written again, and what is not is refused with status 78 and a place.
#include "daemon/config_file.h"
#include "daemon/configuration.h"
#include "daemon/startup_error.h"
#include "tests/fuzz/properties.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace pycgid;
using fuzz::require;

void require_complaint(const StartupError& error) {
  require(error.status == ExitStatus::configuration, "a wrong file is a wrong configuration");
  require(error.text.find("x.conf:") != std::string::npos, "a message names the line");
}

// Everything that reaches an environment, a command line or the log.
void require_clean(const PoolSettings& pool) {
  for (const std::string* value : {&pool.name, &pool.app, &pool.chdir, &pool.python, &pool.venv,
                                   &pool.user, &pool.chroot, &pool.access_log, &pool.mount}) {
    for (char character : *value) {
      require(static_cast<unsigned char>(character) >= ' ' && character != 0x7f,
              "no value holds control characters");
    }
  }
  for (const std::string& variable : pool.env) {
    require(variable.find('\0') == std::string::npos, "no variable holds NUL");
    require(variable.find('=') != std::string::npos, "a variable has a name and a value");
  }
}

struct Read {
  Configuration configuration;
  Settings settings;
};

std::optional<Read> read(const std::string& text) {
  try {
    Read result{parse_config_text(text, "x.conf"), {}};
    complete(result.configuration);
    result.settings = make_settings(result.configuration);
    // Their order means nothing, and what is printed has those of one option together.
    for (PoolSettings& pool : result.settings.pools) {
      std::ranges::stable_sort(pool.addresses, {}, &Address::protocol);
    }
    return result;
  } catch (const StartupError& error) {
    require_complaint(error);
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  // It would read this machine's files.
  if (text.find("include") != std::string::npos) return 0;
  const std::optional<Read> first = read(text);
  if (!first) return 0;
  for (const PoolSettings& pool : first->settings.pools) require_clean(pool);
  const Configuration& written = first->configuration;
  const std::optional<Read> second = read(configuration_text(written.global, written.pools));
  require(second.has_value(), "what is printed can be read");
  require(second->settings == first->settings, "what is printed says the same");
  return 0;
}
