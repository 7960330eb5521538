// What a worker runs, see worker_command.h.
#include "daemon/master/worker_command.h"

#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <filesystem>
#include <pwd.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace pycgid {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

std::string_view name_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

// Socket activation, notification and the front servers' addresses are the daemon's own affair.
bool is_daemons_own(std::string_view variable) {
  const std::string_view name = name_of(variable);
  return name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET" || name == "WATCHDOG_USEC" ||
         name == "WATCHDOG_PID" || name == "FCGI_WEB_SERVER_ADDRS";
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

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

std::string_view path_variable(const std::vector<std::string>& environment) {
  for (std::string_view variable : environment) {
    if (name_of(variable) == "PATH") return variable.substr(5);
  }
  return kDefaultPath;
}

// Empty when there is none.
std::string search_path(const std::string& name, std::string_view path) {
  while (true) {
    const std::string_view directory = path.substr(0, path.find(':'));
    std::string candidate = concat(directory, "/", name);
    if (directory.starts_with('/') && is_program(candidate)) return candidate;
    if (directory.size() == path.size()) return {};
    path.remove_prefix(directory.size() + 1);
  }
}

std::string absolute(const std::string& path) {
  std::error_code error;
  return std::filesystem::absolute(path, error).string();
}

std::string venv_python(const std::string& venv) {
  std::string program = absolute(venv) + "/bin/python";
  if (is_program(program)) return program;
  fail_start(ExitStatus::configuration,
             concat("cannot use virtual environment ", in_quotes(venv), ": there is no program ",
                    in_quotes(program), " (option \"venv\"); make it with python3 -m venv"));
}

std::string find_python(const PoolSettings& pool, const std::vector<std::string>& environment) {
  if (!pool.venv.empty()) return venv_python(pool.venv);
  const bool is_path = pool.python.find('/') != std::string::npos;
  const std::string_view path = path_variable(environment);
  std::string program = is_path ? absolute(pool.python) : search_path(pool.python, path);
  if (!program.empty() && is_program(program)) return program;
  std::string text = concat("cannot run python ", in_quotes(pool.python), ": no such program");
  if (!is_path) text += concat(" in ", path);
  fail_start(ExitStatus::configuration, text + " (option \"python\")");
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

WorkerCommand make_worker_command(const Settings& settings, const PoolSettings& pool,
                                  const Credentials& credentials, const char* const* environment) {
  WorkerCommand command;
  command.environment = worker_environment(pool, credentials, environment);
  command.program = find_python(pool, command.environment);
  command.arguments = {command.program,
                       settings.libexec_dir + "/boot.py",
                       "app=" + pool.app,
                       "pool=" + pool.name,
                       concat("threads=", pool.threads),
                       concat("multiprocess=", pool.processes > 1 ? 1 : 0),
                       concat("version=", PYCGID_VERSION)};
  for (const std::string& directory : pool.pythonpath) {
    command.arguments.push_back("pythonpath=" + directory);
  }
  return command;
}

}  // namespace pycgid
