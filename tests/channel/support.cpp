#include "tests/channel/support.h"

#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
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

bool send_descriptors(int socket, std::string_view text, const std::array<int, 3>& fds) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_LEN(sizeof fds);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof fds);
  return ::sendmsg(socket, &message, 0) == static_cast<ssize_t>(text.size());
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

bool closes_excess_descriptors() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd sender(ends[0]);
  const UniqueFd receiver(ends[1]);
  REQUIRE(send_descriptors(sender.get(), "x", {sender.get(), sender.get(), sender.get()}));
  const auto before = open_descriptors();
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_LEN(sizeof(int))> room_for_one{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room_for_one.data();
  message.msg_controllen = room_for_one.size();
  REQUIRE(::recvmsg(receiver.get(), &message, MSG_CMSG_CLOEXEC) == 1);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  const UniqueFd given(received);
  const auto more = open_descriptors() - before;
  if (more == 1) {
    CHECK((message.msg_flags & MSG_CTRUNC) != 0);
    return true;
  }
  const char* const emulator = std::getenv("PYCGID_EMULATOR");
  std::cerr << "not checked, as " << (emulator == nullptr ? "this system" : emulator)
            << " leaves open what recvmsg() had no room for: " << more - 1 << " descriptors\n";
  CHECK(emulator != nullptr);
  return false;
}

namespace {

// How often two threads each stored a word, and then both missed the other's, until the first time.
bool both_miss() {
  constexpr int kRounds = 3'000'000;
  std::atomic<int> round{0};
  std::atomic<int> answered{0};
  std::array<std::atomic<int>, 2> stored{};
  bool missed = false;
  const auto pause = [](int length) {
    for (volatile int left = length; left > 0;) left = left - 1;
  };
  std::thread other([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (round.load() < i) {
      }
      pause(i * 7 % 97);
      stored[1].store(i);
      missed = stored[0].load() != i;
      answered.store(i);
    }
  });
  bool both = false;
  for (int i = 1; i <= kRounds; ++i) {
    round.store(both ? kRounds : i);
    if (both) break;
    pause(i % 101);
    stored[0].store(i);
    const bool missed_here = stored[1].load() != i;
    while (answered.load() != i) {
    }
    both = missed && missed_here;
  }
  other.join();
  return both;
}

}  // namespace

bool orders_stores_before_loads() {
  static const char* const emulator = std::getenv("PYCGID_EMULATOR");
  static const bool ordered = emulator == nullptr || !both_miss();
  if (!ordered) {
    std::cerr << "not checked, as with " << emulator
              << " two threads can each miss what the other has just stored\n";
  }
  return ordered;
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
