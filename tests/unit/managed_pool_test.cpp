// A pool of the master without its master: attempts at a start that go wrong in odd ways.
#include "daemon/master/managed_pool.h"

#include "tests/unit/captured_log.h"
#include "tests/unit/catch.h"
#include "tests/unit/pool_stage.h"

#include <filesystem>
#include <fstream>
#include <new>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace pycgid;
using namespace supervisor_test;
namespace fs = std::filesystem;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

// Lacks memory, or not.
class StarvedHost final : public FakeHost {
 public:
  std::string spawn(std::uint32_t pool, std::uint32_t generation, std::uint32_t number,
                    SpawnedWorker& worker) override {
    ++spawned;
    return FakeHost::spawn(pool, generation, number, worker);
  }
  void tell_gateway(const Message& message) override {
    if (starved) throw std::bad_alloc();
    FakeHost::tell_gateway(message);
  }

  bool starved = false;
  int spawned = 0;
};

// A directory with all that a pool needs, removed at the end.
class Stage {
 public:
  Stage() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    fs::permissions(directory_, fs::perms(0755));
    std::ofstream(directory_ + "/boot.py");
    global_.libexec_dir = directory_;
    global_.start_dir = directory_;
  }
  ~Stage() { fs::remove_all(directory_); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  PoolContext context() { return {global_, logs_, host}; }
  PoolConfig config() const {
    PoolSettings pool;
    pool.name = "blog";
    pool.app = "blog";
    pool.chdir = directory_;
    pool.allow_root = true;
    pool.python = "/bin/sh";  // which is not run here
    pool.processes_min = pool.processes_max = 1;
    Address address;
    address.kind = Address::Kind::unix_path;
    address.path = directory_ + "/blog.sock";
    address.text = "unix:" + address.path;
    pool.addresses = {address};
    return {pool, {}};
  }

  StarvedHost host;

 private:
  std::string directory_;
  Settings global_;
  LogFiles logs_{global_};
};

// Until the process that looks has ended.
void await_look(const ManagedPool& pool) {
  REQUIRE(pool.is_looking());
  const std::vector<int> fds = pool.fds();
  REQUIRE(fds.size() == 1);
  pollfd entry{fds.front(), 0, 0};
  REQUIRE(::poll(&entry, 1, 20'000) == 1);
}

void fail_for_memory(Stage& stage, ManagedPool& pool) {
  stage.host.starved = true;
  pool.prepare();
  stage.host.starved = false;
  REQUIRE(pool.news() == ManagedPool::News::failed);
}

TEST_CASE("an attempt at a start that lacks memory has failed for a reason") {
  CapturedLog log(LogLevel::error);
  Stage stage;
  ManagedPool pool(stage.context(), stage.config(), 1);
  fail_for_memory(stage, pool);
  REQUIRE(pool.failure());
  CHECK(pool.failure()->status == ExitStatus::system);
  pool.retry_later(now());
  CHECK(stage.host.count(MessageType::refuse) == 1);
  CHECK(log.text().find("does not start: std::bad_alloc") != std::string::npos);
}

TEST_CASE("a gateway that dies while an attempt is under way does not begin a second one") {
  CapturedLog log(LogLevel::error);
  Stage stage;
  ManagedPool pool(stage.context(), stage.config(), 1);
  fail_for_memory(stage, pool);
  pool.retry_later(now());
  pool.on_time(now() + 1s);
  await_look(pool);
  pool.abandon(now());
  pool.recover(now());
  pool.on_time(now() + 1s);
  CHECK_FALSE(pool.is_looking());
  CHECK(pool.workers().workers().size() == 1);
  CHECK(stage.host.spawned == 1);
  pool.boot(now());
  CHECK(stage.host.spawned == 1);
}

}  // namespace
