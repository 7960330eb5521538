// What a worker runs, see worker_command.h.
#include "daemon/master/worker_command.h"

#include "daemon/address.h"
#include "daemon/master/chroot_copies.h"
#include "daemon/master/find_python.h"
#include "daemon/master/libexec_files.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/master/socket_reach.h"
#include "daemon/master/worker_place.h"
#include "daemon/text.h"

#include <pwd.h>
#include <string_view>
#include <utility>

namespace pycgid {
namespace {

std::string_view name_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

// Socket activation, notification and the front servers' addresses are the daemon's own affair.
bool is_daemons_own(std::string_view variable) {
  const std::string_view name = name_of(variable);
  return name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET" || name == "JOURNAL_STREAM" ||
         name == "WATCHDOG_USEC" || name == "WATCHDOG_PID" || name == "FCGI_WEB_SERVER_ADDRS";
}

// Replaces variables of the same name.
void set_all(std::vector<std::string>& environment, const std::vector<std::string>& variables) {
  for (const std::string& variable : variables) {
    std::erase_if(environment,
                  [&](const std::string& old) { return name_of(old) == name_of(variable); });
    environment.push_back(variable);
  }
}

// Libraries that look for their files in root's home would only meet "Permission denied".
std::vector<std::string> user_variables(uid_t user) {
  const passwd* entry = getpwuid(user);
  if (entry == nullptr) return {};
  return {concat("HOME=", entry->pw_dir), concat("USER=", entry->pw_name),
          concat("LOGNAME=", entry->pw_name)};
}

void note_unreachable(const PoolSettings& pool, const std::vector<Address>& addresses,
                      const LookReporter& reporter) {
  for (const Address& address : addresses) {
    if (address.kind != Address::Kind::unix_path) continue;
    reporter.at(option_name(address.protocol));
    const std::string text = unreachable_text(address, pool);
    if (!text.empty()) reporter.note(text);
  }
}

}  // namespace

std::vector<std::string> worker_environment(const PoolSettings& pool,
                                            const Credentials& credentials,
                                            const char* const* environment) {
  std::vector<std::string> result;
  for (; *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const bool wanted = pool.clear_env ? name_of(variable) == "PATH" : !is_daemons_own(variable);
    if (wanted) result.emplace_back(variable);
  }
  if (credentials.change && !pool.clear_env) set_all(result, user_variables(credentials.user));
  set_all(result, pool.env);
  return result;
}

LookRequest worker_look(const Settings& settings, const PoolSettings& pool,
                        const Credentials& credentials, const LookedAt& what) {
  const auto task = [&settings, &pool, &credentials, what](const LookReporter& reporter) {
    note_unreachable(pool, what.new_addresses, reporter);
    if (!pool.chroot.empty()) {
      reporter.at("chroot");
      check_chroot_copies(settings, pool);
    }
    enter_worker_place(pool, credentials, reporter);
    check_worker_files(settings, pool, reporter);
    return find_python(settings, pool, what.environment, reporter);
  };
  LookRequest request{.object = concat("the files of pool ", in_quotes(pool.name)),
                      .user = pool.user,
                      .places = pool.places,
                      .task = task};
  // What the copies below another root are compared with.
  if (!pool.chroot.empty()) {
    for (const LibexecFiles::File& file : settings.libexec_files->files()) {
      request.descriptors.push_back(file.fd.get());
    }
  }
  return request;
}

WorkerCommand make_worker_command(const Settings& settings, const PoolSettings& pool,
                                  const Credentials& credentials, const char* const* environment) {
  std::vector<std::string> variables = worker_environment(pool, credentials, environment);
  LookResult seen = look_and_wait(worker_look(settings, pool, credentials, {variables, {}}));
  return worker_command(settings, pool, std::move(variables), std::move(seen.text));
}

WorkerCommand worker_command(const Settings& settings, const PoolSettings& pool,
                             std::vector<std::string> environment, std::string program) {
  WorkerCommand command;
  command.environment = std::move(environment);
  command.program = std::move(program);
  command.directory = worker_directory(settings, pool);
  if (pool.chroot.empty()) command.files = settings.libexec_files;
  command.arguments = {command.program,
                       settings.libexec_dir + "/boot.py",
                       "app=" + pool.app,
                       "pool=" + pool.name,
                       concat("threads=", pool.threads),
                       concat("multiprocess=", pool.processes_max > 1 ? 1 : 0),
                       concat("start_timeout=", pool.start_timeout.count()),
                       concat("cleanup_time=", cleanup_time(pool).count()),
                       concat("version=", PYCGID_VERSION)};
  if (!pool.on_start.empty()) command.arguments.push_back("on_start=" + pool.on_start);
  for (const std::string& directory : pool.pythonpath) {
    command.arguments.push_back("pythonpath=" + directory);
  }
  return command;
}

}  // namespace pycgid
