// What a worker runs, see worker_command.h.
#include "daemon/master/worker_command.h"

#include "daemon/address.h"
#include "daemon/master/chroot_copies.h"
#include "daemon/master/find_python.h"
#include "daemon/master/libexec_files.h"
#include "daemon/master/pool_supervisor.h"
#include "daemon/master/socket_reach.h"
#include "daemon/master/variables.h"
#include "daemon/master/worker_place.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <cstdint>
#include <pwd.h>
#include <string_view>
#include <sys/resource.h>
#include <utility>

namespace pycgid {
namespace {

// Socket activation, notification and the front servers' addresses are the daemon's own affair.
bool is_daemons_own(std::string_view variable) {
  const std::string_view name = variable_name(variable);
  return name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET" || name == "JOURNAL_STREAM" ||
         name == "WATCHDOG_USEC" || name == "WATCHDOG_PID" || name == "FCGI_WEB_SERVER_ADDRS";
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

std::uint64_t bytes_of(const std::vector<std::string>& texts) {
  std::uint64_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size() + 1 + sizeof(char*);
  return bytes;
}

// As the kernel has it (fs/exec.c): a quarter of the stack's limit, 128 KiB at least and three
// quarters of 8 MiB at most.
std::uint64_t most_bytes() {
  rlimit stack{};
  ::getrlimit(RLIMIT_STACK, &stack);
  const std::uint64_t quarter = stack.rlim_cur / 4;
  return std::clamp<std::uint64_t>(quarter, 128ULL << 10, 6ULL << 20);
}

// The system would only say of Python that its "Argument list" is too long.
void check_size(const WorkerCommand& command, const PoolSettings& pool) {
  constexpr std::uint64_t kOfEachWorker = 4096;  // its number and descriptors
  const std::uint64_t bytes =
      bytes_of(command.environment) + bytes_of(command.arguments) + kOfEachWorker;
  if (bytes <= most_bytes()) return;
  fail_start(ExitStatus::configuration,
             concat("the environment and arguments of pool ", in_quotes(pool.name), " take ", bytes,
                    " bytes, and the system lets a program have ", most_bytes(), " ",
                    pool.places.text(pool.env.empty() ? "pythonpath" : "env"),
                    "; put long values into files, or raise the limit of the stack (ulimit -s)"));
}

}  // namespace

std::vector<std::string> worker_environment(const PoolSettings& pool,
                                            const Credentials& credentials,
                                            const char* const* environment) {
  std::vector<std::string> result;
  for (; *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const bool wanted =
        pool.clear_env ? variable_name(variable) == "PATH" : !is_daemons_own(variable);
    if (wanted) result.emplace_back(variable);
  }
  if (credentials.change && !pool.clear_env)
    set_variables(result, user_variables(credentials.user));
  set_variables(result, pool.env);
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
  check_size(command, pool);
  return command;
}

}  // namespace pycgid
