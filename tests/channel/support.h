// What the channel's tests share: both ends in one process or in two, deadlines instead of sleeps,
// and an answer's blocks put together.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/internal/channel_map.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace channel_test {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds span)
      : end_(std::chrono::steady_clock::now() + span) {}
  bool passed() const { return std::chrono::steady_clock::now() >= end_; }
  int left_ms() const;

 private:
  std::chrono::steady_clock::time_point end_;
};

// The same numbers in each run.
class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed) {}
  std::uint32_t any();
  std::uint32_t below(std::size_t limit) { return any() % static_cast<std::uint32_t>(limit); }

 private:
  std::uint64_t state_;
};

// One message with the three descriptors beside it.
bool send_descriptors(int socket, std::string_view text, const std::array<int, 3>& fds);
std::ptrdiff_t open_descriptors();

// Whether the system closes what a message brings beyond the receiver's room for descriptors. Linux
// does. qemu-user doesn't, and then says so on standard error: it gives the kernel room for twice
// as many (do_sendrecvmsg_locked in its linux-user/syscall.c) and forgets those that are too many.
// Any other system, which PYCGID_EMULATOR doesn't name, fails the test.
bool closes_excess_descriptors();

// Whether of two threads that store and then load, all in one order, one sees the other's store:
// what every hand-over between gateway and worker stands on. qemu-user on x86 loses that for ARM's
// STLR and LDAR (it has a fence before the one and behind the other, and none between), which is
// seen by trying; then says so on standard error. Only looked at under PYCGID_EMULATOR.
bool orders_stores_before_loads();

// Yields until `condition` holds; false when that takes too long.
bool eventually(const std::function<bool()>& condition);

pyhost::ChannelPair make_channel(const pyhost::ChannelSizes& sizes);
std::unique_ptr<pyhost::ChannelMap> map_channel(const pyhost::ChannelFds& fds);

// Both ends in this process, and the memory between them for a look behind the scenes.
struct Ends {
  explicit Ends(const pyhost::ChannelSizes& sizes);

  std::unique_ptr<pyhost::GatewayEnd> gateway;
  std::unique_ptr<pyhost::WorkerEnd> worker;
  std::unique_ptr<pyhost::ChannelMap> memory;
};

// A process of its own; killed and reaped when the object ends.
class Child {
 public:
  explicit Child(const std::function<void()>& run);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() const;
  // The wait status.
  int wait();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// Writes `params` into the slot's request area and submits it.
void submit(pyhost::GatewayEnd& gateway, std::uint32_t slot, std::string_view params,
            pyhost::RequestHead head = {});

// Waits as the gateway does, for the bell; false at the deadline or when the worker hung up.
bool wait_ready(pyhost::GatewayEnd& gateway, pyhost::GatewayEnd::ReadySet& ready,
                const Deadline& deadline);
bool is_ready(const pyhost::GatewayEnd::ReadySet& ready, std::uint32_t slot);

// The part of a slot's answer that has been read so far.
struct Answer {
  std::string head;
  std::string body;
  std::optional<pyhost::FileRange> file;
  std::optional<pyhost::EndKind> end;
  bool violation = false;

  // Takes what is there, at most `limit` bytes of each piece.
  void read(pyhost::GatewayEnd& gateway, std::uint32_t slot, std::size_t limit = ~std::size_t{0});
};

// `count` bytes in which a piece that is lost, doubled or moved shows.
std::string pattern(std::size_t count, std::uint32_t seed = 1);

// Worker: writes all of `bytes`, publishing and waiting as the host does; false when aborted.
bool write_all(pyhost::WorkerEnd& worker, std::uint32_t slot, pyhost::BlockType type,
               std::string_view bytes);
// Worker: reads the body to its end.
std::string read_all(pyhost::WorkerEnd& worker, std::uint32_t slot);
// Worker: `end`, publish, finish.
void end_answer(pyhost::WorkerEnd& worker, std::uint32_t slot);
// Worker: one request thread, until the worker is to stop.
void serve(pyhost::WorkerEnd& worker,
           const std::function<void(const pyhost::TakenRequest&)>& answer);

}  // namespace channel_test
