// What a worker runs and the environment that it gets.
#include "daemon/master/worker_command.h"

#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace pycgid;
namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

constexpr std::array<const char*, 9> kEnviron{
    "PATH=/usr/bin",   "LANG=C.UTF-8",         "LISTEN_FDS=1",
    "LISTEN_PID=7",    "NOTIFY_SOCKET=/run/n", "FCGI_WEB_SERVER_ADDRS=::1",
    "WATCHDOG_USEC=1", "WATCHDOG_PID=7",       nullptr};

// A directory with a boot.py in it, removed at the end.
class ScratchLibexec {
 public:
  ScratchLibexec() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    std::ofstream(path_ + "/boot.py");
  }
  ~ScratchLibexec() { fs::remove_all(path_); }
  ScratchLibexec(const ScratchLibexec&) = delete;
  ScratchLibexec& operator=(const ScratchLibexec&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Settings libexec_settings() {
  static const ScratchLibexec libexec;
  Settings settings;
  settings.libexec_dir = libexec.path();
  return settings;
}

std::string refusal(const PoolSettings& pool) {
  try {
    make_worker_command(libexec_settings(), pool, {}, kEnviron.data());
    return {};
  } catch (const StartupError& error) {
    CHECK(error.status == ExitStatus::configuration);
    return error.text;
  }
}

TEST_CASE("worker environment: what is the daemon's own is left out", "[master]") {
  CHECK(worker_environment({}, {}, kEnviron.data()) == Strings{"PATH=/usr/bin", "LANG=C.UTF-8"});
}

TEST_CASE("worker environment: option clear-env leaves PATH", "[master]") {
  PoolSettings pool;
  pool.clear_env = true;
  pool.env = {"A=1"};
  CHECK(worker_environment(pool, {}, kEnviron.data()) == Strings{"PATH=/usr/bin", "A=1"});
}

TEST_CASE("worker environment: option env replaces a variable", "[master]") {
  PoolSettings pool;
  pool.env = {"LANG=de_DE.UTF-8", "LANG=fr_FR.UTF-8", "LANGUAGE=x"};
  CHECK(worker_environment(pool, {}, kEnviron.data()) ==
        Strings{"PATH=/usr/bin", "LANG=fr_FR.UTF-8", "LANGUAGE=x"});
}

TEST_CASE("worker environment: a worker that changes user gets that user's home", "[master]") {
  constexpr std::array<const char*, 3> kRoots{"HOME=/nonexistent", "A=1", nullptr};
  Credentials credentials;
  credentials.change = true;
  PoolSettings pool;
  CHECK(worker_environment(pool, credentials, kRoots.data()) ==
        Strings{"A=1", "HOME=/root", "USER=root", "LOGNAME=root"});
  pool.env = {"HOME=/srv"};
  CHECK(worker_environment(pool, credentials, kRoots.data()) ==
        Strings{"A=1", "USER=root", "LOGNAME=root", "HOME=/srv"});
  pool.clear_env = true;
  CHECK(worker_environment(pool, credentials, kRoots.data()) == Strings{"HOME=/srv"});
}

TEST_CASE("worker command: python comes from the worker's PATH", "[master]") {
  PoolSettings pool;
  pool.python = "sh";
  CHECK(make_worker_command(libexec_settings(), pool, {}, kEnviron.data()).program ==
        "/usr/bin/sh");
  pool.env = {"PATH=/bin"};
  CHECK(make_worker_command(libexec_settings(), pool, {}, kEnviron.data()).program == "/bin/sh");
  // What stands in PATH relative to a directory that changes is no program to run.
  pool.env = {"PATH=" + fs::relative("/bin").string()};
  CHECK(refusal(pool).starts_with("cannot run python \"sh\": no such program in "));
  pool.env = {"PATH=/nonexistent:."};
  CHECK(refusal(pool) ==
        "cannot run python \"sh\": no such program in /nonexistent:. (option \"python\")");
}

TEST_CASE("worker command: a virtual environment without python is refused", "[master]") {
  PoolSettings pool;
  pool.venv = "/nonexistent";
  CHECK(refusal(pool) ==
        "cannot use virtual environment \"/nonexistent\": there is no \"/nonexistent\" (option "
        "\"venv\"); make it with python3 -m venv /nonexistent");
}

TEST_CASE("worker command: a script whose interpreter is missing is refused", "[master]") {
  const ScratchLibexec scratch;
  const std::string script = scratch.path() + "/python";
  const auto refusal_of = [&](std::string_view first_line) {
    std::ofstream(script) << first_line << "\nexec python3 \"$@\"\n";
    fs::permissions(script, fs::perms::owner_all | fs::perms::others_exec);
    PoolSettings pool;
    pool.python = script;
    return refusal(pool);
  };
  CHECK(refusal_of("#!/no/such/python -u") ==
        "cannot run python \"" + script +
            "\": its first line names \"/no/such/python\", which is not there (option \"python\")");
  CHECK(refusal_of("#!/bin/sh\r").find("its first line ends with a carriage return") !=
        std::string::npos);
  CHECK(refusal_of("#! " + script + "x").find("x\", which is not there") != std::string::npos);
  for (const char* fine :
       {"#!/bin/sh", "#! /usr/bin/env python3", "no script", "#!", "#!relative"}) {
    CHECK(refusal_of(fine).empty());
  }
}

TEST_CASE("worker command: a venv's python whose interpreter is missing is refused", "[master]") {
  const ScratchLibexec scratch;
  fs::create_directory(scratch.path() + "/bin");
  const std::string script = scratch.path() + "/bin/python";
  std::ofstream(script) << "#!/no/such/python\n";
  fs::permissions(script, fs::perms::owner_all);
  PoolSettings pool;
  pool.venv = scratch.path();
  CHECK(refusal(pool).find("its first line names \"/no/such/python\"") != std::string::npos);
}

TEST_CASE("worker command: boot.py gets the pool's settings", "[master]") {
  const Settings settings = libexec_settings();
  PoolSettings pool;
  pool.name = "blog";
  pool.app = "blog.wsgi";
  pool.python = "/bin/sh";
  pool.processes_max = 2;
  pool.threads = 8;
  pool.pythonpath = {"/a", "/b"};
  Strings arguments = make_worker_command(settings, pool, {}, kEnviron.data()).arguments;
  CHECK(std::erase_if(arguments, [](const auto& text) { return text.starts_with("version="); }) ==
        1);
  CHECK(arguments == Strings{"/bin/sh", settings.libexec_dir + "/boot.py", "app=blog.wsgi",
                             "pool=blog", "threads=8", "multiprocess=1", "start_timeout=60000",
                             "cleanup_time=5000", "pythonpath=/a", "pythonpath=/b"});
}

}  // namespace
