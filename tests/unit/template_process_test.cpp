// A template as the master sees it. The test plays the template, with children for its workers.
#include "daemon/master/template_process.h"

#include "daemon/log.h"
#include "tests/unit/catch.h"

#include <csignal>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace pycgid;

namespace {

constexpr pid_t kPid = 12345;

class Stage {
 public:
  Stage() {
    set_log_fd(-1);
    settings_.name = "blog";
    Pipe status;
    pyhost::OrderLink link;
    REQUIRE_FALSE(open_pipe(status));
    REQUIRE_FALSE(pyhost::create_order_link(link));
    SpawnedTemplate spawned;
    spawned.process.id = 1;
    spawned.process.pid = kPid;
    spawned.process.status = std::move(status.read);
    spawned.orders = std::move(link.master);
    says_ = std::move(status.write);
    link_ = std::move(link.workers);
    process.emplace(std::move(spawned), settings_, 4, now);
  }
  ~Stage() {
    for (const pid_t worker : workers_) {
      ::kill(worker, SIGKILL);
      ::waitpid(worker, nullptr, 0);
    }
    set_log_fd(2);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void say(const std::string& line) const {
    REQUIRE(::write(says_.get(), line.data(), line.size()) > 0);
  }
  pyhost::ForkOrder take_order() const {
    pyhost::ForkOrder order;
    REQUIRE(pyhost::receive_order(link_.get(), order) == pyhost::Received::message);
    return order;
  }
  // A process of its own that reports itself and lives on.
  pid_t report(std::uint32_t id) {
    Pipe told;
    REQUIRE_FALSE(open_pipe(told));
    const pid_t worker = ::fork();
    if (worker == 0) {
      for (const int fd : process->fds()) ::close(fd);  // the master's
      pyhost::send_forked(link_.get(), id);
      told.write.reset();
      for (;;) ::pause();
    }
    workers_.push_back(worker);
    told.write.reset();
    pollfd end{told.read.get(), POLLIN, 0};
    REQUIRE(::poll(&end, 1, 30'000) == 1);
    return worker;
  }
  void report_myself(std::uint32_t id) const { REQUIRE(pyhost::send_forked(link_.get(), id)); }
  void close_link() { link_.reset(); }
  bool link_is_closed() const {
    pyhost::ForkOrder order;
    return pyhost::receive_order(link_.get(), order) == pyhost::Received::closed;
  }
  std::vector<TemplateProcess::Outcome> hear() {
    process->hear(now);
    return process->take_outcomes();
  }

  TimePoint now{};
  std::optional<TemplateProcess> process;

 private:
  PoolSettings settings_;
  pyhost::UniqueFd says_;
  pyhost::UniqueFd link_;
  std::vector<pid_t> workers_;
};

TEST_CASE("template: orders wait until it is ready, and go out one by one", "[master]") {
  Stage stage;
  stage.process->order(7, 1);
  stage.process->order(8, 2);
  CHECK(stage.hear().empty());
  stage.say("ready\n");
  CHECK(stage.hear().empty());
  pyhost::ForkOrder order = stage.take_order();
  CHECK(order.id == 7);
  CHECK(order.number == 1);
  const pid_t worker = stage.report(7);
  const auto outcomes = stage.hear();
  REQUIRE(outcomes.size() == 1);
  CHECK_FALSE(outcomes[0].failure);
  CHECK(outcomes[0].worker.pid == worker);
  CHECK(outcomes[0].worker.channel.memory);
  CHECK(stage.take_order().id == 8);
}

TEST_CASE("template: what it complains of is why no worker comes", "[master]") {
  Stage stage;
  stage.process->order(7, 1);
  stage.process->order(8, 2);
  stage.say("error 71 cannot load\n");
  CHECK(stage.process->hear(stage.now));
  const auto outcomes = stage.process->take_outcomes();
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[1].worker.id == 8);
  CHECK(outcomes[1].failure->status == ExitStatus::system);
  CHECK(outcomes[1].failure->text == "cannot load");
}

TEST_CASE("template: a worker that will not come is noticed", "[master]") {
  Stage stage;
  stage.process->order(7, 1);
  stage.say("ready\n");
  CHECK(stage.hear().empty());
  pyhost::ForkOrder order = stage.take_order();
  std::string expected = "blog/template[12345] did not fork it to the end";
  SECTION("because it died on its way") {}
  SECTION("because it could not be forked") {
    const std::string line = "error 71 cannot fork a worker: no memory\n";
    REQUIRE(::write(order.side.status.get(), line.data(), line.size()) > 0);
    expected = "cannot fork a worker: no memory";
  }
  order = {};
  const auto outcomes = stage.hear();
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].worker.id == 7);
  CHECK(outcomes[0].failure->text == expected);
}

TEST_CASE("template: its death is why no worker comes", "[master]") {
  Stage stage;
  stage.process->order(7, 1);
  stage.process->order(8, 2);
  stage.say("ready\n");
  CHECK(stage.hear().empty());
  stage.take_order();
  stage.close_link();
  CHECK(stage.process->on_exited(SIGKILL, stage.now).empty());
  const auto outcomes = stage.hear();
  REQUIRE(outcomes.size() == 2);
  for (const auto& outcome : outcomes) {
    CHECK(outcome.failure->text ==
          "blog/template[12345] was killed by signal 9 (Killed), after 0ms");
  }
  CHECK(stage.process->is_over());
}

TEST_CASE("template: a worker that was half forked outlives it", "[master]") {
  Stage stage;
  stage.process->order(7, 1);
  stage.say("ready\n");
  CHECK(stage.hear().empty());
  const pyhost::ForkOrder order = stage.take_order();
  CHECK(stage.process->on_exited(SIGKILL, stage.now).empty());
  CHECK(stage.hear().empty());
  CHECK_FALSE(stage.process->is_over());
  const pid_t worker = stage.report(7);
  const auto outcomes = stage.hear();
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].worker.pid == worker);
  CHECK(stage.process->is_over());
}

TEST_CASE("template: reports that cannot be true are not believed", "[master]") {
  Stage stage;
  stage.process->order(7, 1);
  stage.say("ready\n");
  CHECK(stage.hear().empty());
  const pyhost::ForkOrder order = stage.take_order();
  SECTION("of a process that is no child of the master") {
    stage.report_myself(7);
  }
  SECTION("of a worker that was not ordered") {
    stage.report(8);
  }
  CHECK(stage.hear().empty());
  CHECK(stage.link_is_closed());
}

}  // namespace
