// Either side is killed at any instant, and the other one carries on.
#include "tests/channel/support.h"
#include "tests/channel/worker_process.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace pyhost;
using namespace channel_test;

namespace {

bool hangs_up(int fd) {
  pollfd poller{fd, 0, 0};
  return ::poll(&poller, 1, 10'000) == 1;
}

// Some traffic in all slots until `end`; false when the worker's memory shows nonsense.
class Load {
 public:
  explicit Load(GatewayEnd& gateway) : gateway_(gateway), answers_(gateway.slots()) {}

  bool turn(Random& random) {
    for (std::uint32_t slot = 0; slot < gateway_.slots(); ++slot) {
      if (gateway_.phase(slot) == Phase::free && gateway_.can_submit()) start(slot, random);
      if (gateway_.write_body(slot, std::string(random.below(300), 'b')) == 0) {
        gateway_.end_body(slot, true);
      }
      if (!look(slot)) return false;
    }
    return true;
  }

 private:
  void start(std::uint32_t slot, Random& random) {
    const bool streamed = random.below(2) == 0;
    answers_[slot] = Answer();
    submit(gateway_, slot, streamed ? "echo" : std::to_string(random.below(20'000)),
           {0, streamed ? BodyMode::ring : BodyMode::none, kUnknownLength});
    if (random.below(8) == 0 && !gateway_.revoke(slot)) gateway_.abort(slot);
  }

  bool look(std::uint32_t slot) {
    // Done is looked at first: an answer is whole before its slot is done.
    const bool done = gateway_.phase(slot) == Phase::done;
    Answer& answer = answers_[slot];
    answer.read(gateway_, slot);
    const bool echoed = answer.body.find_first_not_of('b') == std::string::npos;
    const bool made = answer.body == pattern(answer.body.size());
    if (done) gateway_.release(slot);
    return !answer.violation && (echoed || made);
  }

  GatewayEnd& gateway_;
  std::vector<Answer> answers_;
};

}  // namespace

TEST_CASE("kill: a worker killed at any instant leaves nothing torn", "[channel]") {
  Random random(4711);
  for (int round = 0; round < 200; ++round) {
    WorkerPair pair;
    Load load(*pair.gateway);
    GatewayEnd::ReadySet ready;
    const Deadline life(std::chrono::milliseconds(random.below(4)));
    while (!life.passed()) {
      REQUIRE(load.turn(random));
      wait_ready(*pair.gateway, ready, life);
    }
    pair.child.kill();
    REQUIRE(hangs_up(pair.gateway->passing_fd()));
    for (int turn = 0; turn < 10; ++turn) REQUIRE(load.turn(random));
    CHECK(!pair.gateway->pass_file(0, 0));
    CHECK(WTERMSIG(pair.child.wait()) == SIGKILL);
  }
}

namespace {

// A worker here, with a thread that waits for a body, one that waits for room and two that sleep,
// and a gateway process of its own.
class Widow {
 public:
  Widow() : Widow(make_channel(kPairSizes)) {}

  bool all_wait() const {
    return eventually([&] {
      return map_->control(0).body_waiting.load() != 0 &&
             map_->control(1).room_waiting.load() != 0 && map_->board().gate.anyone_sleeps();
    });
  }
  // Kills the gateway; returns when all threads have come back.
  void kill_gateway() {
    gateway_.kill();
    for (std::thread& thread : threads_) thread.join();
  }
  int aborted() const { return aborted_; }
  WorkerEnd& worker() { return *worker_; }

 private:
  explicit Widow(ChannelPair pair)
      : gateway_([&] {
          pair.worker = {};
          run_gateway(std::move(pair.gateway));
        }) {
    pair.gateway = {};
    std::error_code error;
    map_ = map_channel(pair.worker);
    worker_ = WorkerEnd::open(std::move(pair.worker), error);
    REQUIRE(worker_);
    threads_.emplace_back([this] { worker_->watch_gateway(); });
    for (int i = 0; i < 4; ++i) {
      threads_.emplace_back([this] { serve(*worker_, [this](const auto& r) { answer(r); }); });
    }
  }

  [[noreturn]] static void run_gateway(ChannelFds fds) {
    std::error_code error;
    const auto gateway = GatewayEnd::open(std::move(fds), error);
    if (!gateway) ::_exit(1);
    submit(*gateway, 0, "read", {0, BodyMode::ring, kUnknownLength});
    submit(*gateway, 1, "write");
    for (;;) ::pause();
  }

  void answer(const TakenRequest& request) {
    if (request.params == "read") read_all(*worker_, request.slot);
    if (request.params == "write") {
      write_all(*worker_, request.slot, BlockType::body, pattern(100'000));
    }
    if (worker_->aborted(request.slot)) aborted_.fetch_add(1);
  }

  Child gateway_;
  std::unique_ptr<ChannelMap> map_;
  std::unique_ptr<WorkerEnd> worker_;
  std::vector<std::thread> threads_;
  std::atomic<int> aborted_{0};
};

}  // namespace

TEST_CASE("kill: a gateway's death ends every wait of its worker", "[channel]") {
  for (int round = 0; round < 10; ++round) {
    Widow widow;
    CHECK(widow.all_wait());
    widow.kill_gateway();
    CHECK(widow.aborted() == 2);
    CHECK(widow.worker().stopping());
    Intake intake(widow.worker());
    CHECK(!intake.try_take());
    CHECK(!intake.park());
  }
}

TEST_CASE("kill: a gateway that dies at once leaves no thread behind", "[channel]") {
  for (int round = 0; round < 20; ++round) {
    Widow widow;
    widow.kill_gateway();
    CHECK(widow.worker().stopping());
  }
}

TEST_CASE("kill: requests of a dead gateway are not answered", "[channel]") {
  Ends ends(kPairSizes);
  submit(*ends.gateway, 0, "");
  ends.gateway.reset();
  ends.worker->watch_gateway();
  Intake intake(*ends.worker);
  CHECK(!intake.try_take());
  CHECK(!intake.park());
}

namespace {

// In a worker process: forks, and tells what parent and child think they are.
[[noreturn]] void fork_worker(ChannelFds fds, int report) {
  std::error_code error;
  const auto worker = WorkerEnd::open(std::move(fds), error);
  const pid_t child = ::fork();
  struct {
    pid_t child;
    int forked;
  } const told{child, worker->forked() ? 1 : 0};
  [[maybe_unused]] const ssize_t sent = ::write(report, &told, sizeof told);
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("kill: a fork knows what it is and does not hide the worker's death", "[channel]") {
  ChannelPair pair = make_channel(kPairSizes);
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  Child worker([&] {
    pair.gateway = {};
    fork_worker(std::move(pair.worker), writer.get());
  });
  pair.worker = {};
  writer.reset();

  pid_t fork_pid = 0;
  for (int reports = 0; reports < 2; ++reports) {
    std::array<int, 2> told{};
    REQUIRE(::read(reader.get(), told.data(), sizeof told) == ssize_t{sizeof told});
    CHECK(told[1] == (told[0] == 0 ? 1 : 0));
    fork_pid = std::max(fork_pid, told[0]);
  }
  worker.kill();
  worker.wait();
  const bool hung_up = hangs_up(pair.gateway.passing.get());
  REQUIRE(fork_pid > 0);
  ::kill(fork_pid, SIGKILL);
  CHECK(hung_up);
}
