// Round trips through the channel between one gateway thread and one worker process, one request
// and four at a time: how many a second, and the processor time of both sides for each.
//
// Usage: channel_bench [SECONDS] [THREADS]
#include "pyhost/channel.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace pyhost;

namespace {

constexpr std::size_t kParams = 700;
constexpr std::size_t kBody = 13;

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double processor_time(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

void answer(WorkerEnd& worker, const TakenRequest& request) {
  static constexpr char kHead[] = "Content-Type: text/plain\r\nStatus: 200 OK\r\n\r\n";
  worker.write(request.slot, BlockType::head, kHead);
  worker.write(request.slot, BlockType::body, request.params.substr(0, kBody));
  worker.write_end(request.slot, EndKind::complete);
  worker.publish(request.slot);
  worker.finish(request.slot);
}

[[noreturn]] void run_worker(ChannelFds fds, int threads) {
  std::error_code error;
  const auto worker = WorkerEnd::open(std::move(fds), error);
  if (!worker) ::_exit(1);
  std::vector<std::thread> crew;
  for (int i = 0; i < threads; ++i) {
    crew.emplace_back([&] {
      Intake intake(*worker);
      do {
        while (const auto request = intake.try_take()) answer(*worker, *request);
      } while (intake.park());
    });
  }
  for (std::thread& thread : crew) thread.join();
  ::_exit(0);
}

void ask(GatewayEnd& gateway, std::uint32_t slot) {
  std::fill_n(gateway.request_area(slot).begin(), kParams, 'p');
  gateway.submit(slot, {kParams, BodyMode::none, 0});
}

// Reads what is there; true when the slot was done and has been asked again.
bool look(GatewayEnd& gateway, std::uint32_t slot) {
  const bool done = gateway.phase(slot) == Phase::done;
  Block block;
  while (gateway.peek(slot, block) == GatewayEnd::Peek::block) {
    gateway.consume(slot, block.bytes.size());
  }
  if (!done) return false;
  gateway.release(slot);
  ask(gateway, slot);
  return true;
}

std::uint64_t drive(GatewayEnd& gateway, std::chrono::duration<double> span) {
  const auto end = std::chrono::steady_clock::now() + span;
  std::uint64_t answered = 0;
  GatewayEnd::ReadySet ready;
  for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) ask(gateway, slot);
  while (std::chrono::steady_clock::now() < end) {
    if (!gateway.take_ready(ready)) {
      if (!gateway.prepare_sleep()) continue;
      pollfd bell{gateway.bell_fd(), POLLIN, 0};
      ::poll(&bell, 1, 1000);
      gateway.woke();
      continue;
    }
    for (std::uint32_t slot = 0; slot < gateway.slots(); ++slot) {
      if ((ready[0] >> slot & 1) != 0 && look(gateway, slot)) ++answered;
    }
  }
  return answered;
}

bool measure(std::uint32_t deep, double span, int threads) {
  ChannelPair pair;
  ChannelSizes sizes;
  sizes.slots = deep;
  if (create_channel(sizes, pair)) return false;
  const pid_t child = ::fork();
  if (child == 0) {
    pair.gateway = {};
    run_worker(std::move(pair.worker), threads);
  }
  std::error_code error;
  const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
  if (child < 0 || !gateway) return false;

  const double own_before = processor_time(RUSAGE_SELF);
  const double child_before = processor_time(RUSAGE_CHILDREN);
  const auto answered = static_cast<double>(drive(*gateway, std::chrono::duration<double>(span)));
  const double own = processor_time(RUSAGE_SELF) - own_before;
  gateway->stop();
  ::waitpid(child, nullptr, 0);
  const double other = processor_time(RUSAGE_CHILDREN) - child_before;
  std::printf(
      "%u deep, %d threads: %.0f round trips/s, gateway %.2f us, worker %.2f us of CPU each\n",
      deep, threads, answered / span, own * 1e6 / answered, other * 1e6 / answered);
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const double span = count > 1 ? std::atof(arguments[1]) : 2.0;
  const int threads = count > 2 ? std::atoi(arguments[2]) : 1;
  for (const std::uint32_t deep : {1U, 4U}) {
    if (!measure(deep, span, threads)) return 1;
  }
  return 0;
}
