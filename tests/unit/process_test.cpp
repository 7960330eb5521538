// What the master says and knows about processes: their ends, their first words, their users.
#include "daemon/log.h"
#include "daemon/master/exit_text.h"
#include "daemon/master/log_files.h"
#include "daemon/master/privileges.h"
#include "daemon/master/worker_process.h"
#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace {

using namespace pycgid;
namespace fs = std::filesystem;

constexpr int kCoreDumped = 0x80;

StartupError failure_of(const std::string& user, const std::string& group) {
  try {
    resolve_credentials(user, group);
    return {ExitStatus::ok, ""};
  } catch (const StartupError& error) {
    return error;
  }
}

TEST_CASE("exit text: how a process ended", "[master]") {
  CHECK(describe_exit(0) == "exited with status 0");
  CHECK(describe_exit(78 << 8) == "exited with status 78");
  CHECK(describe_exit(SIGSEGV | kCoreDumped) ==
        "was killed by signal 11 (Segmentation fault), core dumped");
  CHECK(describe_exit(SIGKILL) == "was killed by signal 9 (Killed)");
}

TEST_CASE("exit text: only status 0 is a clean end", "[master]") {
  CHECK(exited_cleanly(0));
  CHECK_FALSE(exited_cleanly(1 << 8));
  CHECK_FALSE(exited_cleanly(SIGTERM));
}

TEST_CASE("worker process: what an error line says", "[master]") {
  const StartupError complaint = parse_complaint("error 71 no room: disk full");
  CHECK(complaint.status == ExitStatus::system);
  CHECK(complaint.text == "no room: disk full");
  CHECK(parse_complaint("error 78 x").status == ExitStatus::configuration);
  CHECK(parse_complaint("error 75 x").status == ExitStatus::temporary);
  CHECK(parse_complaint("error").text == "error");
  CHECK(parse_complaint("nonsense").text == "nonsense");
}

TEST_CASE("privileges: a user or group that does not exist is named", "[master]") {
  CHECK(failure_of("no-such-user", "").text ==
        "no such user: \"no-such-user\" (option \"user\"); create it, by systemd-sysusers or "
        "adduser --system, or name another");
  CHECK(failure_of("", "no-such-group").text ==
        "no such group: \"no-such-group\" (option \"group\")");
  CHECK(failure_of("no-such-user", "").status == ExitStatus::configuration);
}

TEST_CASE("privileges: without options nothing changes", "[master]") {
  const Credentials credentials = resolve_credentials("", "");
  CHECK_FALSE(credentials.change);
  CHECK(credentials.user == geteuid());
}

TEST_CASE("privileges: a number is a user even without an entry", "[master]") {
  CHECK(user_id("4000000", "user") == 4'000'000U);
  CHECK(user_id("root", "user") == 0U);
}

TEST_CASE("privileges: root workers must be asked for", "[master]") {
  PoolSettings pool;
  pool.user = "root";
  if (geteuid() != 0) pool.user = "";
  const bool root = geteuid() == 0;
  bool refused = false;
  try {
    worker_credentials(pool);
  } catch (const StartupError&) {
    refused = true;
  }
  CHECK(refused == root);
  pool.allow_root = true;
  CHECK(worker_credentials(pool).user == geteuid());
}

TEST_CASE("log file: after a rotation lines go to the new file", "[log]") {
  std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
  const fs::path directory = ::mkdtemp(name.data());
  {
    Settings settings;
    settings.log = (directory / "log").string();
    LogFiles logs(settings);
    logs.open();
    log_error("before");
    fs::rename(directory / "log", directory / "old");
    logs.reopen();
    log_error("after");
    fs::rename(directory, directory.string() + ".gone");
    logs.reopen();
    set_log_fd(STDERR_FILENO);
  }
  std::string last;
  std::string line;
  for (std::ifstream file(directory.string() + ".gone/log"); std::getline(file, line);) last = line;
  CHECK(last.find("going on with the old file") != std::string::npos);
  std::ifstream old(directory.string() + ".gone/old");
  REQUIRE(std::getline(old, line));
  CHECK(line.ends_with("before"));
  fs::remove_all(directory.string() + ".gone");
}

}  // namespace
