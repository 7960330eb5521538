// The configuration as it was written, see configuration.h.
#include "daemon/configuration.h"

#include "daemon/address.h"
#include "daemon/config_line.h"
#include "daemon/cpu_count.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace pycgid {
namespace {

// " (FILE:LINE)", or nothing for the command line, where the option alone says it all.
std::string place(const std::string& where) {
  return where.empty() ? "" : concat(" (", where, ")");
}

[[noreturn]] void refuse(const std::string& where, const std::string& text) {
  fail_start(where.empty() ? ExitStatus::usage : ExitStatus::configuration, text + place(where));
}

// For messages about values that turn out not to work.
void note_place(Settings& settings, const GivenOption& option) {
  const std::string_view name = option.row->name;
  if (settings.pools.empty()) return settings.places.note(name, option.where);
  PoolSettings& pool = settings.pools.back();
  pool.places.note(name, option.where);
  if (name == "fastcgi" || name == "scgi") pool.addresses.back().places.note(name, option.where);
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte < ' ' || byte == 0x7f;
  });
}

// Values reach command lines, environments, paths and lines of the log. Only a variable of the
// environment may have more than one line.
std::string unfit(const OptionRow& row, std::string_view value) {
  if (value.find('\0') != std::string_view::npos) return "must not hold a NUL byte";
  // The system starts no program with an argument or a variable of 128 KiB (MAX_ARG_STRLEN).
  constexpr std::size_t kMostValue = 130'000;
  if (value.size() > kMostValue) {
    return concat("has ", value.size(), " bytes, and the system lets a program have no more than ",
                  kMostValue, " in one piece; put it into a file");
  }
  if (row.name == "env" || !has_control(value)) return {};
  return "must not hold control characters";
}

std::string beginning_of(const std::string& value) {
  constexpr std::size_t kShown = 1000;
  return value.size() <= kShown ? value : concat(value.substr(0, kShown), "...");
}

void apply(Settings& settings, const GivenOption& option) {
  const OptionRow& row = *option.row;
  if (row.set == nullptr) {
    refuse(option.where,
           concat("option ", in_quotes(row.name), " is not built yet in this version"));
  }
  std::string wrong = unfit(row, option.value);
  if (wrong.empty()) wrong = row.set(settings, option.value, row);
  if (wrong.empty()) return note_place(settings, option);
  refuse(option.where, concat("bad value ", in_quotes(beginning_of(option.value)), " for option ",
                              in_quotes(row.name), ": ", wrong));
}

void refuse_repeated(const GivenOption& option) {
  const std::string text = concat("option ", in_quotes(option.row->name), " is given twice");
  refuse(option.where, option.where.empty() ? text + "; see pycgid --help" : text);
}

void apply_all(Settings& settings, const ConfigSection& section) {
  std::set<const OptionRow*> seen;
  for (const GivenOption& option : section.options) {
    if (!seen.insert(option.row).second && !option.row->repeatable) refuse_repeated(option);
    apply(settings, option);
  }
}

const GivenOption* find_given(const ConfigSection& section, std::string_view option) {
  const auto found = std::ranges::find_if(
      section.options, [option](const GivenOption& given) { return given.row->name == option; });
  return found == section.options.end() ? nullptr : &*found;
}

bool is_address(const GivenOption& option) {
  return option.row->name == "fastcgi" || option.row->name == "scgi";
}

constexpr std::array<std::string_view, 3> kTlsFiles{"tls-certificate", "tls-key", "tls-client-ca"};

// A pool either has an address with "tls:", and certificate and key for it, or nothing of all that.
void check_tls(const ConfigSection& pool) {
  const auto address = std::ranges::find_if(pool.options, [](const GivenOption& option) {
    return is_address(option) && is_tls_address(option.value);
  });
  if (address != pool.options.end()) {
    for (std::string_view needed : {kTlsFiles[0], kTlsFiles[1]}) {
      if (pool.has(needed)) continue;
      refuse(address->where, concat("address ", in_quotes(address->value), " needs options ",
                                    in_quotes(kTlsFiles[0]), " and ", in_quotes(kTlsFiles[1]),
                                    "; name the file for ", in_quotes(needed)));
    }
    return;
  }
  for (std::string_view name : kTlsFiles) {
    const GivenOption* file = find_given(pool, name);
    if (file == nullptr) continue;
    refuse(file->where, concat("option ", in_quotes(name), " needs an address that speaks TLS; ",
                               "write \"tls:\" before its HOST:PORT"));
  }
}

// For messages about these files when they are read.
void note_places(PoolSettings& pool, const ConfigSection& section) {
  NamedFile* const files[] = {&pool.tls_certificate, &pool.tls_key, &pool.tls_client_ca};
  for (std::size_t i = 0; i < kTlsFiles.size(); ++i) {
    if (const GivenOption* given = find_given(section, kTlsFiles[i]))
      files[i]->where = given->where;
  }
}

// One of the two pages would never be seen.
void check_own_pages(const ConfigSection& pool) {
  const GivenOption* status = find_given(pool, "status-path");
  const GivenOption* ping = find_given(pool, "ping-path");
  if (status == nullptr || ping == nullptr || status->value != ping->value) return;
  if (ping->value == "off") return;
  refuse(ping->where, concat("option \"ping-path\" names ", in_quotes(ping->value),
                             ", which is that of option \"status-path\"", place(status->where),
                             "; give one of them another path"));
}

// The options of which a pool has one at most.
constexpr std::pair<std::string_view, std::string_view> kExclusive{"python", "venv"};

void check_pool(const ConfigSection& pool) {
  const auto [one, other] = kExclusive;
  if (pool.has(one) && pool.has(other)) {
    refuse(pool.where,
           concat("options ", in_quotes(one), " and ", in_quotes(other), " exclude each other",
                  pool.where.empty() ? "; see pycgid --help" : ""));
  }
  if (!pool.has("app")) {
    refuse(pool.where,
           concat("pool ", in_quotes(pool.name), " has no application; give it option \"app\""));
  }
  if (!pool.where.empty() && !pool.has("fastcgi") && !pool.has("scgi")) {
    refuse(pool.where,
           concat("pool ", in_quotes(pool.name),
                  " has no socket; give it option \"fastcgi\" or \"scgi\", for instance "
                  "fastcgi = unix:/run/pycgid/",
                  pool.name, ".sock"));
  }
  check_tls(pool);
  check_own_pages(pool);
}

void check_names(const std::vector<ConfigSection>& pools) {
  std::map<std::string_view, const ConfigSection*> seen;
  for (const ConfigSection& pool : pools) {
    const auto [first, fresh] = seen.emplace(pool.name, &pool);
    if (has_control(pool.name)) {
      refuse(pool.where,
             concat("the name ", in_quotes(pool.name), " of a pool holds control characters"));
    }
    if (fresh) continue;
    refuse(pool.where, concat("pool ", in_quotes(pool.name), " was described before, at ",
                              first->second->where, "; give one of them another name"));
  }
}

struct Listener {
  const ConfigSection* pool;
  const GivenOption* option;
  Address address;
};

// The same for all that may be in each other's way.
std::string rivals_key(const Listener& listener) {
  const Address& address = listener.address;
  if (address.kind == Address::Kind::tcp) return concat("port ", unsigned{address.port});
  // Of descriptors without a name each pool has its own.
  const bool is_pools = address.kind == Address::Kind::systemd && address.name.empty();
  return socket_key(address) + (is_pools ? listener.pool->name : "");
}

[[noreturn]] void refuse_second(const Listener& second, const Listener& first) {
  refuse(second.option->where,
         concat("address ", in_quotes(second.option->value), " is that of pool ",
                in_quotes(first.pool->name), " already", place(first.option->where),
                "; each socket needs an address of its own"));
}

void check_addresses(const std::vector<ConfigSection>& pools) {
  std::map<std::string, std::vector<Listener>> seen;
  for (const ConfigSection& pool : pools) {
    for (const GivenOption& option : pool.options) {
      if (!is_address(option)) continue;
      Listener next{&pool, &option, {}};
      parse_address(option.value, Protocol::fastcgi, next.address);
      std::vector<Listener>& rivals = seen[rivals_key(next)];
      for (const Listener& other : rivals) {
        if (exclude_each_other(other.address, next.address)) refuse_second(next, other);
      }
      rivals.push_back(std::move(next));
    }
  }
}

// A daemon has no standard error that its logs could go to.
void check_daemonize(const Configuration& configuration, const Settings& settings) {
  if (!settings.daemonize) return;
  const std::string& where = find_given(configuration.global, "daemonize")->where;
  if (settings.log == "stderr") {
    refuse(where,
           "option \"daemonize\" closes standard error, to which option \"log\" sends the log; "
           "give \"log\" a path, or syslog");
  }
  for (const PoolSettings& pool : settings.pools) {
    if (pool.access_log != "stderr") continue;
    refuse(where, concat("option \"daemonize\" closes standard error, to which option "
                         "\"access-log\" of pool ",
                         in_quotes(pool.name), " sends its log; give it a path, or syslog"));
  }
}

void add_missing(ConfigSection& section, std::string_view option, std::string value) {
  if (!section.has(option)) section.options.push_back({find_option(option), std::move(value), {}});
}

void append_line(std::string& text, const OptionRow& row, std::string_view value) {
  if (!fits_in_line(value)) {
    fail_start(ExitStatus::configuration,
               concat("value ", in_quotes(value), " of option ", in_quotes(row.name),
                      " cannot stand in a configuration file"));
  }
  text += concat(row.name, " = ", write_config_value(row.name, value), "\n");
}

// A default that another option has replaced is none.
bool is_excluded(const OptionRow& row, const ConfigSection& section) {
  return row.name == kExclusive.first && section.has(kExclusive.second);
}

void append_section(std::string& text, const ConfigSection& section, OptionScope scope) {
  for (const OptionRow& row : option_rows()) {
    if (row.set == nullptr || (row.scope != scope && row.scope != OptionScope::anywhere)) continue;
    for (const GivenOption& option : section.options) {
      if (option.row == &row) append_line(text, row, option.value);
    }
    if (section.has(row.name) || row.default_text.empty() || is_excluded(row, section)) continue;
    append_line(text, row, row.default_text);
  }
}

// The default is as good as given.
std::vector<std::string_view> values_of(const OptionRow& row, const ConfigSection& section) {
  std::vector<std::string_view> values;
  for (const GivenOption& option : section.options) {
    if (option.row == &row) values.push_back(option.value);
  }
  if (values.empty() && !row.default_text.empty()) values.push_back(row.default_text);
  return values;
}

}  // namespace

bool ConfigSection::has(std::string_view option) const {
  return find_given(*this, option) != nullptr;
}

void complete(Configuration& configuration) {
  const std::string cpus = std::to_string(usable_cpus().count);
  for (ConfigSection& pool : configuration.pools) {
    add_missing(pool, "processes", cpus);
    if (pool.has("user") || pool.has("group")) continue;
    for (std::string_view option : {"user", "group"}) {
      const GivenOption* global = find_given(configuration.global, option);
      if (global != nullptr) pool.options.push_back(*global);
    }
  }
}

Settings make_settings(const Configuration& configuration) {
  check_names(configuration.pools);
  Settings settings;
  apply_all(settings, configuration.global);
  for (const ConfigSection& section : configuration.pools) {
    settings.pools.emplace_back().name = section.name;
    apply_all(settings, section);
    check_pool(section);
    note_places(settings.pools.back(), section);
  }
  check_addresses(configuration.pools);
  check_daemonize(configuration, settings);
  return settings;
}

std::string configuration_text(const ConfigSection& global, std::span<const ConfigSection> pools) {
  std::string text;
  append_section(text, global, OptionScope::global);
  for (const ConfigSection& pool : pools) {
    if (read_config_line(concat("[", pool.name, "]")).name != pool.name) {
      fail_start(ExitStatus::configuration, concat("the name ", in_quotes(pool.name),
                                                   " cannot stand in a configuration file"));
    }
    text += concat("\n[", pool.name, "]\n");
    append_section(text, pool, OptionScope::pool);
    // What a command line without sockets means.
    if (!pool.has("fastcgi") && !pool.has("scgi")) text += "fastcgi = fd:0\n";
  }
  return text;
}

std::vector<std::string_view> changed_options(const ConfigSection& before,
                                              const ConfigSection& after) {
  std::vector<std::string_view> names;
  for (const OptionRow& row : option_rows()) {
    if (row.set != nullptr && values_of(row, before) != values_of(row, after)) {
      names.push_back(row.name);
    }
  }
  return names;
}

}  // namespace pycgid
