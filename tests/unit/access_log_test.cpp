// The access log's file: whole lines, in one write, and what happens when it cannot be written.
#include "daemon/gateway/access_log.h"

#include "daemon/log.h"
#include "tests/unit/catch.h"

#include <array>
#include <chrono>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

struct Pipe {
  explicit Pipe() {
    std::array<int, 2> fds{};
    REQUIRE(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
  std::string text() const {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(read_end.get(), buffer.data(), buffer.size());
    return got <= 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(got));
  }
  // So that nothing more is taken.
  void fill() const {
    const std::string filling(4096, 'x');
    while (::write(write_end.get(), filling.data(), filling.size()) > 0) {
    }
  }
  pyhost::UniqueFd read_end;
  pyhost::UniqueFd write_end;
};

// Where the error log goes meanwhile.
struct CapturedErrors : Pipe {
  CapturedErrors() { set_log_fd(write_end.get()); }
  ~CapturedErrors() { set_log_fd(STDERR_FILENO); }
  CapturedErrors(const CapturedErrors&) = delete;
  CapturedErrors& operator=(const CapturedErrors&) = delete;
};

PoolSettings pool_with(std::string format) {
  PoolSettings pool;
  pool.name = "blog";
  pool.access_log = "the.log";
  pool.access_format = std::move(format);
  return pool;
}

AccessRecord record(std::string id) {
  AccessRecord made;
  made.id = std::move(id);
  made.began = Clock::now();
  return made;
}

void add(AccessLog& log, const std::string& id) {
  AccessRecord made = record(id);
  log.add(made);
}

TEST_CASE("access log: lines leave with the turn, not before", "[access]") {
  const PoolSettings pool = pool_with("%L %{pool}n");
  Pipe pipe;
  AccessLog log(pool);
  log.open(pyhost::UniqueFd(::dup(pipe.write_end.get())));
  add(log, "one");
  add(log, "two");
  CHECK(pipe.text().empty());
  log.flush();
  CHECK(pipe.text() == "one blog\ntwo blog\n");
}

TEST_CASE("access log: a full log is reported once, and when it is over", "[access]") {
  const PoolSettings pool = pool_with("%L");
  CapturedErrors errors;
  Pipe pipe;
  AccessLog log(pool);
  log.open(pyhost::UniqueFd(::dup(pipe.write_end.get())));
  pipe.fill();
  add(log, "lost");
  log.flush();
  const std::string said = errors.text();
  CHECK(said.find("cannot write the access log \"the.log\" of pool \"blog\": ") !=
        std::string::npos);
  add(log, "lost too");
  log.flush();
  CHECK(errors.text().empty());
  while (!pipe.text().empty()) {
  }
  add(log, "kept");
  log.flush();
  CHECK(pipe.text() == "kept\n");
  CHECK(errors.text().find("can be written again; lines lost: 2") != std::string::npos);
}

TEST_CASE("access log: a line written in part does not spoil the next one", "[access]") {
  const PoolSettings pool = pool_with("%L");
  CapturedErrors errors;
  // A pipe takes PIPE_BUF bytes whole, and of a longer line what fits.
  Pipe pipe;
  REQUIRE(::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, 4096) >= 4096);
  AccessLog log(pool);
  log.open(pyhost::UniqueFd(::dup(pipe.write_end.get())));
  add(log, std::string(6000, 'a'));
  log.flush();
  CHECK(pipe.text() == std::string(4096, 'a'));
  add(log, "whole");
  log.flush();
  CHECK(pipe.text() == "\nwhole\n");
  CHECK(errors.text().find("lines lost: 1") != std::string::npos);
}

TEST_CASE("access log: pieces for a pipe end with a line", "[access]") {
  const PoolSettings pool = pool_with("%L");
  Pipe pipe;
  REQUIRE(::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, 4096) >= 4096);
  CapturedErrors errors;
  AccessLog log(pool);
  log.open(pyhost::UniqueFd(::dup(pipe.write_end.get())));
  for (int i = 0; i < 5; ++i) add(log, std::string(1000, 'b'));
  log.flush();  // the pipe has room for four
  const std::string first = pipe.text();
  CHECK(first.size() == 4 * 1001);
  CHECK(first.ends_with('\n'));
}

TEST_CASE("access log: a record waits for the last byte of its answer", "[access]") {
  const PoolSettings pool = pool_with("%L %X");
  Pipe pipe;
  AccessLog log(pool);
  log.open(pyhost::UniqueFd(::dup(pipe.write_end.get())));
  UnsentRecords unsent;
  AccessRecord first = record("first");
  first.complete = true;
  AccessRecord second = first;
  second.id = "second";
  unsent.add(std::move(first), 100);
  unsent.add(std::move(second), 200);
  unsent.sent(99, Clock::now(), log);
  log.flush();
  CHECK(pipe.text().empty());
  unsent.sent(100, Clock::now(), log);
  log.flush();
  CHECK(pipe.text() == "first -\n");
  unsent.lost(Clock::now(), log);
  log.flush();
  CHECK(pipe.text() == "second X\n");
  CHECK(unsent.empty());
}

}  // namespace
