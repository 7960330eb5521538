#include "tests/channel/worker_process.h"

#include "tests/unit/catch.h"

#include <charconv>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace pyhost;

namespace channel_test {
namespace {

std::size_t number_in(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void answer_request(WorkerEnd& worker, const TakenRequest& request) {
  write_all(worker, request.slot, BlockType::head, "Status: 200 OK\r\n\r\n");
  const std::string bytes = request.params == "echo" ? read_all(worker, request.slot)
                                                     : pattern(number_in(request.params));
  write_all(worker, request.slot, BlockType::body, bytes);
  end_answer(worker, request.slot);
}

[[noreturn]] void run_worker(ChannelFds& fds) {
  std::error_code error;
  const auto worker = WorkerEnd::open(std::move(fds), error);
  if (!worker) ::_exit(1);
  std::thread([&] {
    worker->watch_gateway();
    ::_exit(2);
  }).detach();
  std::vector<std::thread> crew;
  const auto answer = [&](const TakenRequest& request) { answer_request(*worker, request); };
  for (int i = 0; i < 2; ++i) crew.emplace_back([&] { serve(*worker, answer); });
  for (std::thread& thread : crew) thread.join();
  ::_exit(0);
}

}  // namespace

WorkerPair::WorkerPair(const ChannelSizes& sizes)
    : channel(make_channel(sizes)), child([this] {
        channel.gateway = {};
        run_worker(channel.worker);
      }) {
  channel.worker = {};
  std::error_code error;
  gateway = GatewayEnd::open(std::move(channel.gateway), error);
  REQUIRE(gateway);
}

}  // namespace channel_test
