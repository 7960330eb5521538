// The interpreter of a pool, see find_python.h.
#include "daemon/master/find_python.h"

#include "daemon/master/libexec_files.h"
#include "daemon/master/path_problem.h"
#include "daemon/read_file.h"
#include "daemon/start_directory.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace pycgid {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

std::string_view path_variable(const std::vector<std::string>& environment) {
  constexpr std::string_view kName = "PATH=";
  for (std::string_view variable : environment) {
    if (variable.starts_with(kName)) return variable.substr(kName.size());
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

// The first link of a chain that ends nowhere, followed to what is missing.
std::string missing_target(const std::string& program) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path path = program;
  for (int links = 0; links < 40 && fs::is_symlink(path, error); ++links) {
    const fs::path target = fs::read_symlink(path, error);
    path = target.is_absolute() ? target : path.parent_path() / target;
  }
  return path.string();
}

// What a script names in its first line; empty: a program of another kind.
std::string interpreter_of(std::string_view text) {
  if (!text.starts_with("#!")) return {};
  text = text.substr(2, text.substr(2).find('\n'));
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return std::string(text.substr(0, text.find_first_of(" \t")));
}

// Why a program that is there cannot be run all the same: the system would only say that "it" is
// not there. Empty: nothing is known that is in its way.
std::string script_problem(const std::string& program) {
  const std::string interpreter = interpreter_of(read_file(program).text);
  if (!interpreter.starts_with('/') || is_program(interpreter)) return {};
  if (interpreter.ends_with('\r'))
    return "its first line ends with a carriage return, as DOS has it";
  const std::optional<PathProblem> problem = problem_with(interpreter, X_OK);
  const bool is_missing = !problem || problem->error == ENOENT;
  return concat("its first line names ", in_quotes(interpreter),
                is_missing ? ", which is not there" : concat(": ", problem->text));
}

[[noreturn]] void cannot_use_venv(const PoolSettings& pool, std::string_view why,
                                  std::string_view advice, int error = ENOENT) {
  fail_start(status_of(error), concat("cannot use virtual environment ", in_quotes(pool.venv), ": ",
                                      why, " ", pool.places.text("venv"), advice));
}

std::string venv_python(const std::string& start, const PoolSettings& pool) {
  const std::string venv = absolute_path(start, pool.venv);
  std::string program = venv + "/bin/python";
  const std::optional<PathProblem> problem = problem_with(program, X_OK);
  if (!problem && is_program(program)) {
    const std::string why = script_problem(program);
    if (why.empty()) return program;
    cannot_use_venv(pool, concat("program ", in_quotes(program), ": ", why), "");
  }
  if (!problem) cannot_use_venv(pool, concat(in_quotes(program), " is not a program"), "");
  if (problem->error != ENOENT) cannot_use_venv(pool, problem->text, "", problem->error);
  std::error_code error;
  if (std::filesystem::is_symlink(program, error)) {
    cannot_use_venv(
        pool,
        concat("it was made for ", in_quotes(missing_target(program)), ", which is not there"),
        concat("; make it anew with python3 -m venv --clear ", venv));
  }
  const bool missing = !std::filesystem::exists(venv, error);
  cannot_use_venv(pool,
                  missing ? problem->text : concat("there is no program ", in_quotes(program)),
                  concat("; make it with python3 -m venv ", venv));
}

void check_path(std::string_view what, const std::string& path, int mode,
                const std::string& where) {
  const std::optional<PathProblem> problem = problem_with(path, mode);
  if (!problem) return;
  fail_start(status_of(problem->error),
             concat("cannot ", what, " ", in_quotes(path), ": ", problem->text, " ", where));
}

// What is missing is Python's to report, or to pass over.
void check_rights(std::string_view what, const std::string& path, int mode,
                  const std::string& where) {
  const std::optional<PathProblem> problem = problem_with(path, mode);
  if (problem && problem->error == EACCES) check_path(what, path, mode, where);
}

// Where the option stands, and in which root its paths are.
std::string place_of(const PoolSettings& pool, std::string_view option) {
  std::string place = pool.places.text(option);
  if (!pool.chroot.empty()) {
    place +=
        concat("; the path is one below ", in_quotes(pool.chroot), " ", pool.places.text("chroot"));
  }
  return place;
}

[[noreturn]] void refuse_python(const PoolSettings& pool, std::string_view why, int error) {
  fail_start(status_of(error), concat("cannot run python ", in_quotes(pool.python), ": ", why, " ",
                                      place_of(pool, "python")));
}

// `program` is no program that we may run; empty: none of that name is in `path`.
[[noreturn]] void cannot_run(const PoolSettings& pool, const std::string& program,
                             std::string_view path) {
  if (program.empty()) refuse_python(pool, concat("no such program in ", path), ENOENT);
  const std::optional<PathProblem> problem = problem_with(program, X_OK);
  if (!problem) {
    std::error_code error;
    const bool is_directory = std::filesystem::is_directory(program, error);
    refuse_python(pool, is_directory ? "it is a directory" : "it is no file", EACCES);
  }
  refuse_python(pool, problem->error == ENOENT ? "no such program" : problem->text, problem->error);
}

// What the pool's paths are relative to. Another root has been entered already.
std::string start_of(const Settings& settings, const PoolSettings& pool) {
  return pool.chroot.empty() ? settings.start_dir : "/";
}

}  // namespace

std::string worker_directory(const Settings& settings, const PoolSettings& pool) {
  return absolute_path(start_of(settings, pool), pool.chdir);
}

std::string find_python(const Settings& settings, const PoolSettings& pool,
                        const std::vector<std::string>& environment, const LookReporter& reporter) {
  reporter.at(pool.venv.empty() ? "python" : "venv");
  const std::string start = start_of(settings, pool);
  if (!pool.venv.empty()) return venv_python(start, pool);
  const bool is_path = pool.python.find('/') != std::string::npos;
  const std::string_view path = path_variable(environment);
  std::string program =
      is_path ? absolute_path(start, pool.python) : search_path(pool.python, path);
  const bool is_there = !program.empty() && is_program(program);
  if (!is_there) cannot_run(pool, is_path ? program : "", path);
  const std::string why = script_problem(program);
  if (why.empty()) return program;
  refuse_python(pool, why, ENOEXEC);
}

void check_worker_files(const Settings& settings, const PoolSettings& pool,
                        const LookReporter& reporter) {
  if (settings.libexec_files == nullptr || !settings.libexec_files->are_replaced()) {
    check_path("read", settings.libexec_dir + "/boot.py", R_OK,
               "(the workers' own files; put them where every user can read)");
  }
  const std::string start = worker_directory(settings, pool);
  if (!pool.chdir.empty()) {
    reporter.at("chdir");
    check_path("enter directory", start, X_OK, place_of(pool, "chdir"));
  }
  if (!pool.pythonpath.empty()) reporter.at("pythonpath");
  for (const std::string& directory : pool.pythonpath) {
    check_rights("read directory", absolute_path(start, directory), R_OK | X_OK,
                 place_of(pool, "pythonpath"));
  }
  for (const std::string_view option : {"on-start", "on-exit"}) {
    const bool is_given = !(option == "on-start" ? pool.on_start : pool.on_exit).empty();
    if (is_given) check_path("run", "/bin/sh", X_OK, place_of(pool, option));
  }
  const std::string file = pool.app.substr(0, pool.app.find(':'));
  if (file.find('/') == std::string::npos) return;
  reporter.at("app");
  check_rights("read application", absolute_path(start, file), R_OK, place_of(pool, "app"));
}

}  // namespace pycgid
