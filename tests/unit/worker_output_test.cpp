// What workers write, on its way to the log: how much of it a turn of the gateway's takes.
#include "daemon/gateway/worker_output.h"

#include "daemon/gateway/event_loop.h"
#include "daemon/log.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace {

using namespace pycgid;

constexpr std::size_t kMegabyte = 1024 * 1024;

// A file without a name, which takes any amount.
class Log {
 public:
  Log() : file_(::memfd_create("log", MFD_CLOEXEC)) { REQUIRE(file_); }
  int fd() const { return file_.get(); }
  std::string text() const {
    std::string text(size(), '\0');
    REQUIRE(::pread(fd(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return text;
  }
  std::size_t size() const { return static_cast<std::size_t>(::lseek(fd(), 0, SEEK_END)); }

 private:
  pyhost::UniqueFd file_;
};

class Stage {
 public:
  explicit Stage(LogLevel level = LogLevel::notice) {
    set_log_fd(log.fd());
    set_log_level(level);
    pyhost::LogSocket socket;
    REQUIRE_FALSE(pyhost::create_log_socket(socket));
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    entries = std::move(socket.worker);
    standard_output.reset(pipe[1]);
    slow_log->open(PoolSettings{}, pyhost::UniqueFd(::dup(slow.fd())));
    output = std::make_unique<WorkerOutput>("blog/1[4711]", pyhost::UniqueFd(pipe[0]),
                                            std::move(socket.gateway), slow_log);
  }
  ~Stage() {
    set_log_fd(STDERR_FILENO);
    set_log_level(LogLevel::notice);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // As many as the socket takes.
  int send_all(const std::string& packet) const {
    int sent = 0;
    while (::send(entries.get(), packet.data(), packet.size(), MSG_DONTWAIT) > 0) ++sent;
    return sent;
  }
  std::size_t fill_pipe(std::string_view line) const {
    REQUIRE(::fcntl(standard_output.get(), F_SETPIPE_SZ, static_cast<int>(kMegabyte)) > 0);
    std::size_t written = 0;
    std::string lines;
    while (lines.size() < 4096) lines += line;
    lines.resize(4096);
    while (::write(standard_output.get(), lines.data(), lines.size()) > 0) written += lines.size();
    return written;
  }
  std::size_t in_pipe() const {
    int bytes = 0;
    REQUIRE(::ioctl(output->pipe_fd(), FIONREAD, &bytes) == 0);
    return static_cast<std::size_t>(bytes);
  }

  Log log;
  Log slow;
  std::shared_ptr<SlowLog> slow_log = std::make_shared<SlowLog>();
  pyhost::UniqueFd entries;
  pyhost::UniqueFd standard_output;
  std::unique_ptr<WorkerOutput> output;
};

std::size_t count(const std::string& text, std::string_view word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++found;
  return found;
}

// Small packets that become much: many fit into the socket.
std::string many_lines() {
  return "N\x40" + std::string(64, '\x01') + "begin" + std::string(900, '\n');
}

TEST_CASE("worker output: a turn takes a megabyte of the log, the rest comes later", "[output]") {
  Stage stage;
  const int sent = stage.send_all(many_lines());
  REQUIRE(sent > 20);
  std::size_t before = 0;
  int turns = 0;
  for (; count(stage.log.text(), "begin") < static_cast<std::size_t>(sent); ++turns) {
    REQUIRE(turns < sent);
    CHECK(stage.output->read_entries());
    CHECK(stage.log.size() - before < kMegabyte + kMaxEntryBytes + 1024);
    before = stage.log.size();
  }
  CHECK(turns > 1);
}

TEST_CASE("worker output: a turn takes as much of the slow log", "[output]") {
  Stage stage;
  std::string packet = many_lines();
  packet[0] = 'S';
  REQUIRE(stage.send_all(packet) > 20);
  CHECK(stage.output->read_entries());
  CHECK(stage.slow.size() > kMegabyte);
  CHECK(stage.slow.size() < kMegabyte + kMaxEntryBytes + 1024);
}

TEST_CASE("worker output: a turn takes so much of short lines in the pipe", "[output]") {
  Stage stage;
  const std::size_t written = stage.fill_pipe("x\n");
  CHECK(stage.output->read_pipe());
  CHECK(stage.log.size() > 0);
  CHECK(stage.log.size() < kMegabyte);
  CHECK(stage.in_pipe() > written / 2);
}

TEST_CASE("worker output: lines that are left out are a turn's work as well", "[output]") {
  Stage stage(LogLevel::error);
  REQUIRE(stage.fill_pipe("x\n") == kMegabyte);
  for (int turns = 0; stage.in_pipe() > 0; ++turns) {
    REQUIRE(turns < 2);
    CHECK(stage.output->read_pipe());
  }
  CHECK(stage.log.size() == 0);
}

TEST_CASE("worker output: entries without end do not keep the pipe", "[output]") {
  Stage stage;
  stage.send_all(many_lines());
  REQUIRE(::write(stage.standard_output.get(), "raw\n", 4) == 4);
  CHECK(stage.output->read_pipe());
  CHECK(count(stage.log.text(), ": raw\n") == 1);
}

TEST_CASE("worker output: what a dead worker has left is logged in one go", "[output]") {
  Stage stage;
  const int entries = stage.send_all(std::string("N\0text", 6));
  REQUIRE(::write(stage.standard_output.get(), "last", 4) == 4);
  stage.output->read_rest();
  CHECK(count(stage.log.text(), ": text\n") == static_cast<std::size_t>(entries));
  CHECK(stage.log.text().ends_with(": last\n"));
}

// Counts what a descriptor that is always readable gets of the turns.
class CountingTurns final : public TurnWork {
 public:
  bool run_turn() override {
    most_between = std::max(most_between, std::exchange(reads, 0));
    if (all >= 20) loop.stop();
    return is_busy;
  }
  bool may_nap() override { return false; }
  bool prepare_sleep(bool) override { return true; }
  void woke() override {}

  EventLoop loop;
  bool is_busy = false;
  int reads = 0;
  int all = 0;
  int most_between = 0;
};

TEST_CASE("event loop: what is written without end has one call a turn", "[output]") {
  for (const bool is_busy : {false, true}) {
    const pyhost::UniqueFd endless(::eventfd(1, EFD_CLOEXEC));
    CountingTurns work;
    work.is_busy = is_busy;
    work.loop.on_readable(endless.get(), [&] {
      ++work.reads;
      return ++work.all < 10'000;
    });
    work.loop.run(work);
    CHECK(work.all > 0);
    CHECK(work.most_between <= 2);  // before a block, and after it
  }
}

}  // namespace
