// libFuzzer target: the link between master and gateway, in both directions. Any packet is a
// message or breaks the link; any message, with any descriptors, leaves gateway and master whole,
// and a gateway that lies makes the master start no more workers than the settings allow.
//
// Input: a packet as it stands (first byte odd), or messages of eight bytes and a text each.
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/pools.h"
#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/master/log_files.h"
#include "daemon/master/pool_set.h"
#include "tests/fuzz/properties.h"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace pycgid;
using fuzz::require;

constexpr std::uint32_t kPools = 2;
constexpr unsigned kMostWorkers = 3;

// Starts nothing, and remembers whom the master wanted to end.
class FakeHost : public PoolHost {
 public:
  std::string spawn(std::uint32_t, std::uint32_t, std::uint32_t, SpawnedWorker& worker) override {
    int ends[2];
    require(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "there are descriptors for a pipe");
    worker.id = next_id();
    worker.pid = static_cast<pid_t>(1'000'000 + worker.id);
    worker.status.reset(ends[0]);
    const pyhost::UniqueFd says(ends[1]);
    require(::write(says.get(), "ready\n", 6) == 6, "a pipe has room");
    return {};
  }
  void give_up_fork(std::uint32_t, std::uint32_t) override {}
  std::uint32_t next_id() override { return ++last_id_; }
  void tell_gateway(const Message&) override {}
  bool has_gateway() const override { return true; }
  void signal_group(pid_t leader, int) override { signalled.push_back(leader); }
  std::uint64_t resident_bytes(pid_t) override { return 0; }

  std::vector<pid_t> signalled;

 private:
  std::uint32_t last_id_ = 0;
};

PoolSettings pool_settings(std::uint32_t number) {
  PoolSettings settings;
  settings.name = "p" + std::to_string(number);
  settings.app = "app";
  settings.processes_min = 1;
  settings.processes_max = kMostWorkers;
  settings.threads = 1;
  if (number == 2) settings.warmup.emplace_back("/");
  return settings;
}

Settings all_settings() {
  Settings settings;
  settings.log = "syslog";  // no file, and nothing to open
  for (std::uint32_t i = 1; i <= kPools; ++i) settings.pools.push_back(pool_settings(i));
  return settings;
}

class Both {
 public:
  Both() {
    for (std::uint32_t id = 1; id <= kPools; ++id) {
      gateway_.add(id, pool_settings(id));
      master_.add({pool_settings(id), {}}).workers().boot(now_);
    }
    look();
  }

  void give(Message message) {
    now_ += std::chrono::milliseconds(message.count);
    master_.on_message(message, now_);
    look();
    gateway_.on_message(message);
    gateway_.run_turn();
    gateway_.bury();
  }

 private:
  // What the master does between two messages; whom it kills ends.
  void look() {
    for (int fd : master_.status_fds()) master_.on_status_readable(fd, now_);
    master_.on_time(now_);
    for (pid_t pid : std::exchange(host_.signalled, {})) master_.on_exited(pid, SIGKILL, now_);
    for (const auto& pool : master_) {
      require(pool->workers().workers().size() <= std::size_t{2} * kMostWorkers,
              "no more workers than the settings allow, and a successor for each");
    }
  }

  TimePoint now_{};
  Settings settings_ = all_settings();
  LogFiles logs_{settings_};
  FakeHost host_;
  PoolSet master_{{settings_, logs_, host_}};
  EventLoop loop_;
  Pools gateway_{loop_, settings_, [](const Message&) {}};
};

pyhost::UniqueFd descriptor(unsigned kind, std::string_view text) {
  if (kind == 1) return pyhost::UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  pyhost::UniqueFd fd;
  if (kind == 2) {
    fd.reset(::memfd_create("fuzz", MFD_CLOEXEC));
    require(::write(fd.get(), text.data(), text.size()) >= 0, "memory has room");
  } else {
    int ends[2];
    require(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "there are descriptors for a pipe");
    fd.reset(ends[0]);
    const pyhost::UniqueFd other(ends[1]);
    require(::write(other.get(), text.data(), text.size()) >= 0, "a pipe has room");
  }
  return fd;
}

// Type, worker, pool, generation, count, kinds of descriptors, size of the text (two bytes), text.
bool take_message(std::string_view& input, Message& message) {
  constexpr std::size_t kHead = 8;
  if (input.size() < kHead) return false;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(input[at]); };
  const std::size_t size = std::size_t{byte(6)} * 16 + byte(7);
  message.type =
      static_cast<MessageType>(byte(0) % (static_cast<unsigned>(MessageType::drained) + 1));
  message.worker = byte(1);
  message.pool = byte(2);
  message.generation = byte(3);
  message.count = byte(4) * 100U;
  message.text = input.substr(kHead, size);
  for (unsigned kinds = byte(5); kinds != 0; kinds /= 4) {
    message.fds.push_back(descriptor(kinds % 4, message.text));
  }
  input.remove_prefix(std::min(kHead + size, input.size()));
  return true;
}

void require_same(const Message& one, const Message& other) {
  require(one.type == other.type && one.worker == other.worker && one.pool == other.pool &&
              one.generation == other.generation && one.count == other.count &&
              one.text == other.text && one.fds.size() == other.fds.size(),
          "a message arrives as it was sent");
}

void give_messages(std::string_view input) {
  Both both;
  auto [sender, receiver] = Link::create();
  for (Message sent; take_message(input, sent); sent = {}) {
    require(sender.send(sent), "there is room in the link");
    Message message;
    require(receiver.receive(message) == Link::Received::message, "a message is received");
    require_same(message, sent);
    both.give(std::move(message));
  }
}

void give_packet(std::string_view packet) {
  auto [sender, receiver] = Link::create();
  if (::send(sender.fd(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) return;
  Message message;
  if (receiver.receive(message) != Link::Received::message) return;
  require(message.type <= MessageType::drained, "its type is known");
  require(message.text.size() <= 4096 && message.fds.empty(), "and its parts are within limits");
  Both both;
  both.give(std::move(message));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = [] {
    set_log_fd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    return true;
  }();
  if (!quiet || size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) {
    give_packet(input);
  } else {
    give_messages(input);
  }
  return 0;
}
