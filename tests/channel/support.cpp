#include "tests/channel/support.h"

#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

using namespace pyhost;

namespace channel_test {

int Deadline::left_ms() const {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

std::uint32_t Random::any() {
  state_ = state_ * 6364136223846793005U + 1442695040888963407U;
  return static_cast<std::uint32_t>(state_ >> 32);
}

bool eventually(const std::function<bool()>& condition) {
  const Deadline deadline(std::chrono::seconds(20));
  while (!condition()) {
    if (deadline.passed()) return false;
    ::sched_yield();
  }
  return true;
}

ChannelPair make_channel(const ChannelSizes& sizes) {
  ChannelPair pair;
  REQUIRE(!create_channel(sizes, pair));
  return pair;
}

std::unique_ptr<ChannelMap> map_channel(const ChannelFds& fds) {
  std::error_code error;
  auto map = ChannelMap::open(fds.memory.get(), error);
  REQUIRE(map);
  return std::make_unique<ChannelMap>(std::move(*map));
}

Ends::Ends(const ChannelSizes& sizes) {
  ChannelPair pair = make_channel(sizes);
  std::error_code error;
  memory = map_channel(pair.gateway);
  gateway = GatewayEnd::open(std::move(pair.gateway), error);
  worker = WorkerEnd::open(std::move(pair.worker), error);
  REQUIRE(gateway);
  REQUIRE(worker);
}

Child::Child(const std::function<void()>& run) : pid_(::fork()) {
  REQUIRE(pid_ >= 0);
  if (pid_ > 0) return;
  run();
  ::_exit(0);
}

Child::~Child() {
  if (pid_ <= 0) return;
  kill();
  wait();
}

void Child::kill() const {
  ::kill(pid_, SIGKILL);
}

int Child::wait() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return status;
}

void submit(GatewayEnd& gateway, std::uint32_t slot, std::string_view params, RequestHead head) {
  std::copy(params.begin(), params.end(), gateway.request_area(slot).begin());
  head.params_bytes = static_cast<std::uint32_t>(params.size());
  gateway.submit(slot, head);
}

bool wait_ready(GatewayEnd& gateway, GatewayEnd::ReadySet& ready, const Deadline& deadline) {
  while (!gateway.take_ready(ready)) {
    if (deadline.passed()) return false;
    if (!gateway.prepare_sleep()) continue;
    std::array<pollfd, 2> fds{{{gateway.bell_fd(), POLLIN, 0}, {gateway.passing_fd(), 0, 0}}};
    ::poll(fds.data(), fds.size(), deadline.left_ms());
    gateway.woke();
    if (fds[1].revents != 0) return gateway.take_ready(ready);
  }
  return true;
}

bool is_ready(const GatewayEnd::ReadySet& ready, std::uint32_t slot) {
  return (ready[slot / 64] >> (slot % 64) & 1) != 0;
}

void Answer::read(GatewayEnd& gateway, std::uint32_t slot, std::size_t limit) {
  Block block;
  GatewayEnd::Peek found{};
  while ((found = gateway.peek(slot, block)) == GatewayEnd::Peek::block) {
    const bool whole = block.type == BlockType::file || block.type == BlockType::end;
    const std::string_view bytes = whole ? block.bytes : block.bytes.substr(0, limit);
    if (block.type == BlockType::head) head += bytes;
    if (block.type == BlockType::body) body += bytes;
    if (block.type == BlockType::file) std::memcpy(&file.emplace(), bytes.data(), bytes.size());
    if (block.type == BlockType::end) end = static_cast<EndKind>(bytes[0]);
    gateway.consume(slot, bytes.size());
  }
  violation = violation || found == GatewayEnd::Peek::violation;
}

std::string pattern(std::size_t count, std::uint32_t seed) {
  std::string bytes(count, '\0');
  Random random(seed);
  for (char& byte : bytes) byte = static_cast<char>(random.any());
  return bytes;
}

bool write_all(WorkerEnd& worker, std::uint32_t slot, BlockType type, std::string_view bytes) {
  for (;;) {
    bytes.remove_prefix(worker.write(slot, type, bytes));
    if (bytes.empty()) break;
    worker.publish(slot);
    worker.wait_room(slot);
    if (worker.aborted(slot)) return false;
  }
  worker.publish(slot);
  return !worker.aborted(slot);
}

std::string read_all(WorkerEnd& worker, std::uint32_t slot) {
  std::string body;
  std::array<char, 5000> buffer{};
  while (worker.body_state(slot) == WorkerEnd::BodyState::more && !worker.aborted(slot)) {
    worker.wait_body(slot);
    body.append(buffer.data(), worker.read_body(slot, buffer));
  }
  return body;
}

void end_answer(WorkerEnd& worker, std::uint32_t slot) {
  worker.write_end(slot, EndKind::complete);
  worker.publish(slot);
  worker.finish(slot);
}

void serve(WorkerEnd& worker, const std::function<void(const TakenRequest&)>& answer) {
  Intake intake(worker);
  do {
    while (const auto request = intake.try_take()) answer(*request);
  } while (intake.park());
}

}  // namespace channel_test
