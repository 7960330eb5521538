// Reading the configuration again, see reconfiguration.h.
#include "daemon/master/reconfiguration.h"

#include "daemon/handover.h"
#include "daemon/log.h"
#include "daemon/master/activation.h"
#include "daemon/master/libexec_files.h"
#include "daemon/master/path_problem.h"
#include "daemon/master/pid_file.h"
#include "daemon/master/privileges.h"
#include "daemon/master/socket_paths.h"
#include "daemon/master/worker_place.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

// Global options that come into force while the daemon runs.
constexpr std::array<std::string_view, 8> kAtOnce{"backlog",    "allow-peer", "max-connections",
                                                  "temp-dir",   "log",        "log-level",
                                                  "log-format", "rotate-size"};

[[noreturn]] void refuse_temp_dir(const Settings& settings, std::string_view why) {
  fail_start(ExitStatus::configuration,
             concat("cannot use directory ", in_quotes(settings.temp_dir), ": ", why, " ",
                    settings.places.text("temp-dir")));
}

// Uploads that do not fit into memory are the gateway's to write.
std::string look_at_temp_dir(const Settings& settings, const Credentials& credentials,
                             const LookReporter& reporter) {
  reporter.at("temp-dir");
  std::error_code error;
  if (!std::filesystem::is_directory(settings.temp_dir, error)) {
    refuse_temp_dir(settings, error ? error.message() : reason(ENOTDIR));
  }
  PoolSettings gateway;
  gateway.user = settings.user;
  gateway.places = settings.places;
  enter_worker_place(gateway, credentials, reporter);
  const auto path = std::filesystem::absolute(settings.temp_dir, error).string();
  if (const auto problem = problem_with(path, W_OK | X_OK)) {
    refuse_temp_dir(settings, problem->text);
  }
  return {};
}

// `settings` outlive the start of the look.
LookRequest temp_dir_look(const Settings& settings) {
  return {.object = concat("directory ", in_quotes(settings.temp_dir)),
          .user = settings.user,
          .places = settings.places,
          .task = [&settings,
                   credentials = gateway_credentials(settings)](const LookReporter& reporter) {
            return look_at_temp_dir(settings, credentials, reporter);
          }};
}

bool names(const std::vector<PoolConfig>& configs, const ManagedPool& pool) {
  return std::ranges::any_of(configs, [&pool](const PoolConfig& config) {
    return config.settings.name == pool.settings().name;
  });
}

}  // namespace

LoadedConfiguration load(const ConfigSource& source) {
  LoadedConfiguration loaded;
  loaded.written = load_configuration(source);
  loaded.settings = make_settings(loaded.written);
  loaded.settings.libexec_dir = source.libexec_files->directory();
  loaded.settings.libexec_files = source.libexec_files;
  loaded.settings.start_dir = source.directory;
  assign_sockets(inherited_sockets(), loaded.settings);
  return loaded;
}

std::vector<PoolConfig> pool_configs(const LoadedConfiguration& configuration) {
  std::vector<PoolConfig> configs;
  const std::vector<PoolSettings>& pools = configuration.settings.pools;
  for (std::size_t i = 0; i < pools.size(); ++i) {
    configs.push_back({pools[i], configuration.written.pools.at(i)});
  }
  return configs;
}

void check_daemon(const Settings& settings) {
  refuse_shared_paths(settings);
  static_cast<void>(look_and_wait(temp_dir_look(settings)));
  LogFiles::check_error_log(settings);
  PidFile::check(settings.pidfile, settings.places);
}

std::string Reconfiguration::begin(TimePoint now) {
  next_.reset();
  try {
    auto next = std::make_unique<Next>();
    next->configuration = load(source_);
    next->look.emplace(temp_dir_look(next->configuration.settings), now);
    next_ = std::move(next);
    return {};
  } catch (const StartupError& error) {
    return refused(error.text);
  } catch (const std::exception& error) {
    return refused(error.what());
  }
}

std::optional<TimePoint> Reconfiguration::next_due() const {
  return next_ ? std::optional(next_->look->due()) : std::nullopt;
}

void Reconfiguration::on_exited(pid_t pid) {
  if (next_) next_->look->on_exited(pid);
}

bool Reconfiguration::has_looked(TimePoint now) const {
  if (!next_) return false;
  next_->look->read();
  return next_->look->is_over(now);
}

std::string Reconfiguration::finish(TimePoint now) {
  const std::unique_ptr<Next> next = std::move(next_);
  try {
    static_cast<void>(next->look->result());
    check(next->configuration);
    Configs wanted = pool_configs(next->configuration);
    apply_global(std::move(next->configuration));
    return apply_pools(std::move(wanted), now);
  } catch (const StartupError& error) {
    return refused(error.text);
  } catch (const std::exception& error) {
    return refused(error.what());
  }
}

std::string Reconfiguration::refused(std::string why) {
  log_error(concat("reload failed: ", why, "; the old configuration stays in force"));
  return why;
}

// All that can be wrong with the whole is found here, before anything changes.
void Reconfiguration::check(const LoadedConfiguration& next) const {
  refuse_shared_paths(next.settings);
  const Configs wanted = pool_configs(next);
  for (const PoolConfig& config : wanted) check_addresses(config, wanted);
  context_.logs.prepare_error_log(next.settings);
}

void Reconfiguration::check_addresses(const PoolConfig& config, const Configs& wanted) const {
  const std::string& name = config.settings.name;
  for (const Address& address : config.settings.addresses) {
    const ManagedPool* holder = holder_of(address);
    if (holder == nullptr && address.kind == Address::Kind::inherited_fd) {
      fail_start(ExitStatus::configuration,
                 concat("pool ", in_quotes(name), " cannot have ", address.text,
                        ": descriptors are inherited at the start only; restart the daemon"));
    }
    if (holder == nullptr || holder->settings().name == name || !names(wanted, *holder)) continue;
    fail_start(ExitStatus::configuration,
               concat("address ", in_quotes(address.text), " cannot move from pool ",
                      in_quotes(holder->settings().name), " to pool ", in_quotes(name), " (",
                      config.section.where, ") while both go on; reload without it first"));
  }
}

const ManagedPool* Reconfiguration::holder_of(const Address& address) const {
  const auto holder =
      std::ranges::find_if(pools_, [&address](const auto& pool) { return pool->holds(address); });
  return holder == pools_.end() ? nullptr : holder->get();
}

void Reconfiguration::apply_global(LoadedConfiguration next) {
  const auto changed = changed_options(in_force_.written.global, next.written.global);
  pyhost::UniqueFd text = global_settings_file(next.written.global);
  in_force_ = std::move(next);
  bool at_once = false;
  for (const std::string_view option : changed) {
    if (std::ranges::find(kAtOnce, option) != kAtOnce.end()) {
      at_once = true;
    } else {
      log_warning(concat("option ", in_quotes(option),
                         " changed: takes effect at the next start of the daemon"));
    }
  }
  if (!at_once) return;
  const auto is_backlog = [](std::string_view option) { return option == "backlog"; };
  if (std::ranges::any_of(changed, is_backlog)) apply_backlog();
  context_.logs.direct_error_log();
  set_log_level(in_force_.settings.log_level);
  set_log_format(in_force_.settings.log_format);
  tell_global(std::move(text));
}

void Reconfiguration::apply_backlog() const {
  note_usable_backlog(in_force_.settings.backlog);
  for (const ServedSocket& served : pools_.sockets()) {
    served.socket->set_backlog(in_force_.settings.backlog);
  }
}

void Reconfiguration::tell_global(pyhost::UniqueFd text) const {
  Message message{.type = MessageType::configure};
  message.fds.push_back(std::move(text));
  if (pyhost::UniqueFd log = context_.logs.error_log()) message.fds.push_back(std::move(log));
  context_.host.tell_gateway(message);
}

// --- pools ---------------------------------------------------------------------------------------

// Pools that go come first: their sockets may be wanted by those that come.
std::string Reconfiguration::apply_pools(Configs wanted, TimePoint now) {
  std::map<std::string, std::list<BoundSocket>> offers;
  for (const auto& pool : pools_) {
    if (pool->is_removed() || names(wanted, *pool)) continue;
    for (const PoolConfig& config : wanted) {
      std::list<BoundSocket> given = pool->give_up(config.settings.addresses);
      std::list<BoundSocket>& offer = offers[config.settings.name];
      offer.splice(offer.end(), given);
    }
    pool->remove(now);
    log_notice(
        concat("pool ", in_quotes(pool->settings().name), " is removed, finishing its requests"));
  }
  std::string failed;
  for (PoolConfig& config : wanted) {
    const std::string name = config.settings.name;
    std::list<BoundSocket> offer = std::move(offers[name]);
    const bool done = guard_.run(
        "change pool", [&] { apply_pool(std::move(config), std::move(offer), now); }, name);
    if (!done) failed = concat("pool ", in_quotes(name), " cannot be changed, see the log");
  }
  return failed;
}

void Reconfiguration::apply_pool(PoolConfig config, std::list<BoundSocket> offer, TimePoint now) {
  if (ManagedPool* pool = pools_.find(config.settings.name)) {
    pool->reload(std::move(config), std::move(offer), now);
    return;
  }
  pyhost::UniqueFd text = pool_settings_file(config.section);
  log_notice(concat("pool ", in_quotes(config.settings.name), " is added"));
  ManagedPool& pool = pools_.add(std::move(config));
  pool.introduce(std::move(text));
  pool.prepare(std::move(offer));
  pool.boot(now);
}

}  // namespace pycgid
