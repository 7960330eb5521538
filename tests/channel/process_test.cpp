// Gateway and worker in two processes, as in life, and either of them killed at any instant.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr ChannelSizes kSizes{4, 4096, 4096, 4096};

std::size_t number_in(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// What the worker processes answer: to "echo" the body, to a number as many bytes of the pattern.
void answer_request(WorkerEnd& worker, const TakenRequest& request) {
  write_all(worker, request.slot, BlockType::head, "Status: 200 OK\r\n\r\n");
  const std::string bytes = request.params == "echo" ? read_all(worker, request.slot)
                                                     : pattern(number_in(request.params));
  write_all(worker, request.slot, BlockType::body, bytes);
  end_answer(worker, request.slot);
}

[[noreturn]] void run_worker(ChannelFds& fds, int threads) {
  std::error_code error;
  const auto worker = WorkerEnd::open(std::move(fds), error);
  if (!worker) ::_exit(1);
  std::thread([&] {
    worker->watch_gateway();
    ::_exit(2);
  }).detach();
  std::vector<std::thread> crew;
  const auto answer = [&](const TakenRequest& request) { answer_request(*worker, request); };
  for (int i = 0; i < threads; ++i) crew.emplace_back([&] { serve(*worker, answer); });
  for (std::thread& thread : crew) thread.join();
  ::_exit(0);
}

// A gateway here, and a worker process of its own.
struct Pair {
  explicit Pair(const ChannelSizes& sizes = kSizes, int threads = 2)
      : channel(make_channel(sizes)), child([&] {
          channel.gateway = {};
          run_worker(channel.worker, threads);
        }) {
    channel.worker = {};
    std::error_code error;
    gateway = GatewayEnd::open(std::move(channel.gateway), error);
    REQUIRE(gateway);
  }

  ChannelPair channel;
  std::unique_ptr<GatewayEnd> gateway;
  Child child;
};

// Sends `body` as room comes, reads the answer as it comes.
Answer round_trip(Pair& pair, std::string_view body, std::size_t limit = ~std::size_t{0}) {
  GatewayEnd& gateway = *pair.gateway;
  const Deadline deadline(std::chrono::seconds(20));
  submit(gateway, 0, "echo", {0, BodyMode::ring, kUnknownLength});
  Answer answer;
  GatewayEnd::ReadySet ready;
  bool ended = false;
  do {
    body.remove_prefix(gateway.write_body(0, body));
    if (body.empty() && !ended) gateway.end_body(0, true);
    ended = body.empty();
    answer.read(gateway, 0, limit);
  } while (gateway.phase(0) != Phase::done && wait_ready(gateway, ready, deadline));
  answer.read(gateway, 0);
  gateway.release(0);
  return answer;
}

}  // namespace

TEST_CASE("processes: bodies of every size come back whole", "[channel]") {
  constexpr std::uint32_t kRing = 64 * 1024;
  Pair pair({1, 4096, kRing, kRing});
  for (const std::size_t size : {0U, 1U, kRing - 1, kRing, kRing + 1, kRing * 50 + 7}) {
    const std::string body = pattern(size, static_cast<std::uint32_t>(size));
    const Answer answer = round_trip(pair, body);
    CHECK(answer.head == "Status: 200 OK\r\n\r\n");
    CHECK(answer.end == EndKind::complete);
    CHECK(answer.body.size() == body.size());
    CHECK((answer.body == body));
  }
}

TEST_CASE("processes: small rings and small bites", "[channel]") {
  Pair pair({1, 64, 256, 256});
  for (const std::size_t limit : {1U, 3U, 100U}) {
    const std::string body = pattern(30'011);
    CHECK((round_trip(pair, body, limit).body == body));
  }
}

TEST_CASE("processes: a worker waits for a slow reader and loses nothing", "[channel]") {
  Pair pair;
  GatewayEnd& gateway = *pair.gateway;
  const Deadline deadline(std::chrono::seconds(20));
  submit(gateway, 0, "50000");
  Random random(7);
  std::string body;
  GatewayEnd::ReadySet ready;
  Block block;
  for (bool ended = false; !ended;) {
    const auto found = gateway.peek(0, block);
    REQUIRE(found != GatewayEnd::Peek::violation);
    if (found == GatewayEnd::Peek::empty) {
      REQUIRE(wait_ready(gateway, ready, deadline));
      continue;
    }
    REQUIRE(block.bytes.size() <= kSizes.response_bytes);
    const std::string_view bite = block.bytes.substr(0, 1 + random.below(200));
    if (block.type == BlockType::body) body += bite;
    ended = block.type == BlockType::end;
    gateway.consume(0, bite.size());
    // Others are served meanwhile.
    if (body.size() % 16 == 0 && gateway.phase(1) == Phase::free) submit(gateway, 1, "1");
    Answer other;
    other.read(gateway, 1);
    gateway.release(1);
  }
  CHECK((body == pattern(50'000)));
}

TEST_CASE("processes: a worker ends when it is told to stop", "[channel]") {
  Pair pair;
  pair.gateway->stop();
  CHECK(pair.child.wait() == 0);
}

TEST_CASE("processes: a worker ends when the gateway's end is closed", "[channel]") {
  Pair pair;
  submit(*pair.gateway, 0, "echo", {0, BodyMode::ring, kUnknownLength});
  pair.gateway.reset();
  const int status = pair.child.wait();
  CHECK(WIFEXITED(status));
}

namespace {

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

TEST_CASE("processes: a worker killed at any instant leaves nothing torn", "[channel]") {
  Random random(4711);
  for (int round = 0; round < 200; ++round) {
    Pair pair;
    Load load(*pair.gateway);
    GatewayEnd::ReadySet ready;
    const Deadline life(std::chrono::milliseconds(random.below(4)));
    while (!life.passed()) {
      REQUIRE(load.turn(random));
      wait_ready(*pair.gateway, ready, life);
    }
    pair.child.kill();
    pollfd hang_up{pair.gateway->passing_fd(), 0, 0};
    REQUIRE(::poll(&hang_up, 1, 10'000) == 1);
    for (int turn = 0; turn < 10; ++turn) REQUIRE(load.turn(random));
    CHECK(!pair.gateway->pass_file(0, 0));
    CHECK(WTERMSIG(pair.child.wait()) == SIGKILL);
  }
}

TEST_CASE("processes: a gateway's death ends every wait of its worker", "[channel]") {
  for (int round = 0; round < 20; ++round) {
    ChannelPair pair = make_channel(kSizes);
    Child gateway_process([&] {
      pair.worker = {};
      std::error_code error;
      const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
      if (!gateway) ::_exit(1);
      submit(*gateway, 0, "read", {0, BodyMode::ring, kUnknownLength});
      submit(*gateway, 1, "write");
      for (;;) ::pause();
    });
    pair.gateway = {};
    std::error_code error;
    const auto map = ChannelMap::open(pair.worker.memory.get(), error);
    const auto worker = WorkerEnd::open(std::move(pair.worker), error);
    REQUIRE(worker);
    std::thread watcher([&] { worker->watch_gateway(); });
    std::vector<std::thread> crew;
    std::atomic<int> aborted{0};
    for (int i = 0; i < 4; ++i) {
      crew.emplace_back([&] {
        serve(*worker, [&](const TakenRequest& request) {
          if (request.params == "read") read_all(*worker, request.slot);
          if (request.params == "write") {
            write_all(*worker, request.slot, BlockType::body, pattern(100'000));
          }
          if (worker->aborted(request.slot)) aborted.fetch_add(1);
        });
      });
    }
    // Half of the rounds kill while everybody waits, half while they are about to.
    const bool settled = round % 2 == 1 || eventually([&] {
                           return map->control(0).waiting.load() != 0 &&
                                  map->control(1).waiting.load() != 0 &&
                                  map->board().gate.anyone_sleeps();
                         });
    gateway_process.kill();
    for (std::thread& thread : crew) thread.join();
    watcher.join();
    CHECK(settled);
    CHECK(worker->stopping());
    CHECK((round % 2 == 1 || aborted == 2));
    Intake intake(*worker);
    CHECK(!intake.try_take());
    CHECK(!intake.park());
  }
}

TEST_CASE("processes: a fork of the worker knows, and does not hide the worker's death",
          "[channel]") {
  ChannelPair pair = make_channel(kSizes);
  std::array<int, 2> pipe_ends{};
  REQUIRE(::pipe(pipe_ends.data()) == 0);
  UniqueFd reader(pipe_ends[0]);
  UniqueFd writer(pipe_ends[1]);
  Child worker_process([&] {
    pair.gateway = {};
    std::error_code error;
    const auto worker = WorkerEnd::open(std::move(pair.worker), error);
    const pid_t fork_pid = ::fork();
    if (fork_pid == 0) {
      const char known = worker->forked() ? 'y' : 'n';
      [[maybe_unused]] const ssize_t sent = ::write(writer.get(), &known, 1);
      for (;;) ::pause();
    }
    if (worker->forked()) ::_exit(1);
    const char* const bytes = reinterpret_cast<const char*>(&fork_pid);
    [[maybe_unused]] const ssize_t sent = ::write(writer.get(), bytes, sizeof fork_pid);
    for (;;) ::pause();
  });
  pair.worker = {};
  writer.reset();
  std::string told;
  std::array<char, 16> buffer{};
  while (told.size() < 1 + sizeof(pid_t)) {
    const ssize_t got = ::read(reader.get(), buffer.data(), buffer.size());
    REQUIRE(got > 0);
    told.append(buffer.data(), static_cast<std::size_t>(got));
  }
  worker_process.kill();
  worker_process.wait();
  pollfd hang_up{pair.gateway.passing.get(), 0, 0};
  CHECK(::poll(&hang_up, 1, 10'000) == 1);
  const bool fork_first = told.front() == 'y';
  CHECK((fork_first || told.back() == 'y'));
  pid_t fork_pid = 0;
  std::memcpy(&fork_pid, told.data() + (fork_first ? 1 : 0), sizeof fork_pid);
  REQUIRE(fork_pid > 0);
  ::kill(fork_pid, SIGKILL);
}
