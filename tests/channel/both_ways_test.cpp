// A request whose threads wait in both of its rings at once: some for the body, some for room in
// the answer. All waits have a deadline, so a lost wake-up is a failed test and not a hang.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr int kRounds = kSanitized ? 20 : 100;
constexpr std::size_t kBytes = 12'000;  // each way, through rings of 256 bytes
constexpr ChannelSizes kSizes{1, 64, 256, 256};

// As in pyhost: one of several readers at a time, until the body ends; likewise writers.
class Request {
 public:
  explicit Request(WorkerEnd& worker) : worker_(worker) {}

  void read(std::uint32_t seed) {
    Random random(seed);
    std::array<char, 100> piece{};
    for (;;) {
      const std::lock_guard lock(reading_);
      const auto state = worker_.body_state(0);
      if (state != WorkerEnd::BodyState::more || worker_.aborted(0)) return;
      worker_.wait_body(0);
      const auto room = std::span(piece).first(1 + random.below(piece.size()));
      body_.append(piece.data(), worker_.read_body(0, room));
    }
  }

  void write(std::uint32_t seed) {
    Random random(seed);
    for (;;) {
      const std::lock_guard lock(writing_);
      if (unsent_.empty()) return;
      const std::string_view piece = unsent_.substr(0, 1 + random.below(300));
      unsent_.remove_prefix(piece.size());
      if (!write_all(worker_, 0, BlockType::body, piece)) return;
    }
  }

  // Two threads each way.
  void run(std::string_view answer) {
    unsent_ = answer;
    std::vector<std::thread> threads;
    for (const std::uint32_t seed : {1U, 2U}) {
      threads.emplace_back([this, seed] { read(seed); });
      threads.emplace_back([this, seed] { write(seed); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  const std::string& body() const { return body_; }

 private:
  WorkerEnd& worker_;
  std::mutex reading_;
  std::string body_;  // guarded by reading_
  std::mutex writing_;
  std::string_view unsent_;  // guarded by writing_
};

// The gateway's part of one exchange, in bites.
class Front {
 public:
  Front(GatewayEnd& gateway, std::string_view body, std::uint32_t seed)
      : gateway_(gateway), unsent_(body), random_(seed) {}

  // False when nothing happens any more.
  bool exchange() {
    const Deadline deadline(std::chrono::seconds(10));
    GatewayEnd::ReadySet ready;
    while (!answer_.end) {
      const bool fed = feed();
      const bool taken = take();
      if (!fed && !taken && !wait_ready(gateway_, ready, deadline)) return false;
    }
    return true;
  }
  const Answer& answer() const { return answer_; }

 private:
  bool feed() {
    if (over_) return false;
    const std::size_t sent = gateway_.write_body(0, unsent_.substr(0, 1 + random_.below(300)));
    unsent_.remove_prefix(sent);
    over_ = unsent_.empty();
    if (over_) gateway_.end_body(0, true);
    return sent > 0;
  }
  bool take() {
    Block block;
    if (gateway_.peek(0, block) != GatewayEnd::Peek::block) return false;
    const std::string_view bite =
        block.type == BlockType::end ? block.bytes : block.bytes.substr(0, 1 + random_.below(200));
    if (block.type == BlockType::body) answer_.body += bite;
    if (block.type == BlockType::end) answer_.end = EndKind::complete;
    gateway_.consume(0, bite.size());
    return true;
  }

  GatewayEnd& gateway_;
  std::string_view unsent_;
  bool over_ = false;
  Random random_;
  Answer answer_;
};

// Blocks a reader and a writer, then lets `wake` do what has to bring both back.
void wake_both(const std::function<void(Ends&)>& wake) {
  Ends ends(kSizes);
  Intake intake(*ends.worker);
  submit(*ends.gateway, 0, "", {0, BodyMode::ring, kUnknownLength});
  REQUIRE(intake.try_take());
  std::atomic<int> back{0};
  std::thread reader([&] {
    read_all(*ends.worker, 0);
    ++back;
  });
  std::thread writer([&] {
    write_all(*ends.worker, 0, BlockType::body, pattern(1000));
    ++back;
  });
  std::thread watcher([&] { ends.worker->watch_gateway(); });
  SlotControl& control = ends.memory->control(0);
  const bool both_wait = eventually(
      [&] { return control.body_waiting.load() != 0 && control.room_waiting.load() != 0; });
  CHECK(both_wait);
  wake(ends);
  CHECK(eventually([&] { return back == 2; }));
  if (ends.gateway) ends.gateway->abort(0);
  ends.gateway.reset();
  for (std::thread* thread : {&reader, &writer, &watcher}) thread->join();
}

}  // namespace

TEST_CASE("both ways: readers and writers of one request never miss a wake-up", "[channel]") {
  const std::string question = pattern(kBytes, 1);
  const std::string answer = pattern(kBytes, 2);
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    Ends ends(kSizes);
    Intake intake(*ends.worker);
    submit(*ends.gateway, 0, "", {0, BodyMode::ring, kUnknownLength});
    REQUIRE(intake.try_take());
    Request request(*ends.worker);
    std::thread worker([&] {
      request.run(answer);
      end_answer(*ends.worker, 0);
    });
    Front front(*ends.gateway, question, round);
    const bool went_on = front.exchange();
    if (!went_on) ends.gateway->abort(0);
    worker.join();
    REQUIRE(went_on);
    REQUIRE((request.body() == question));
    REQUIRE((front.answer().body == answer));
  }
}

TEST_CASE("both ways: an abort brings the reader and the writer back", "[channel]") {
  wake_both([](Ends& ends) { ends.gateway->abort(0); });
}

TEST_CASE("both ways: the gateway's end brings the reader and the writer back", "[channel]") {
  wake_both([](Ends& ends) { ends.gateway.reset(); });
}
