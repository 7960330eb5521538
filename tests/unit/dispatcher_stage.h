// A dispatcher on a stage, with real channels, and fronts and workers that are played by the test.
#pragma once

#include "daemon/gateway/dispatcher.h"
#include "daemon/gateway/pool_record.h"
#include "tests/unit/channel_pair.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dispatcher_test {

using pycgid::Exchange;

class PlayedFront final : public pycgid::ExchangeOwner, public pycgid::ReplyTarget {
 public:
  explicit PlayedFront(const pycgid::ExchangeContext& context) : context_(context) {}

  Exchange& request(const std::string& uri) {
    requests.push_back(std::make_unique<Exchange>(context_, *this, 1, Exchange::Role::responder));
    Exchange& exchange = *requests.back();
    exchange.add_param("REQUEST_METHOD", "GET");
    exchange.add_param("REQUEST_URI", uri);
    exchange.params_ended();
    if (!requests.empty() && requests.back().get() == &exchange) exchange.body_ended();
    return exchange;
  }
  void forget(Exchange& exchange) {
    std::erase_if(requests, [&](const auto& entry) { return entry.get() == &exchange; });
  }

  pycgid::ReplyTarget& target(Exchange&) override { return *this; }
  void complete(Exchange& exchange) override {
    ++completed;
    forget(exchange);
  }
  void cut(Exchange& exchange) override {
    ++cuts;
    forget(exchange);
  }
  void send(std::string_view bytes) override { text.append(bytes); }
  void send_file(std::shared_ptr<pyhost::UniqueFd>, std::uint64_t, std::uint64_t) override {}
  std::uint64_t pending() const override { return 0; }

  std::vector<std::unique_ptr<Exchange>> requests;
  std::string text;
  int completed = 0;
  int cuts = 0;

 private:
  pycgid::ExchangeContext context_;
};

// A worker process, as the other end of its channel.
struct PlayedWorker {
  std::string take() {
    const auto taken = ends.intake->try_take();
    if (!taken) return "";
    slot = taken->slot;
    pyhost::ParamsReader params(taken->params);
    for (std::string_view name, value; params.next(name, value);) {
      if (name == "REQUEST_URI") return std::string(value);
    }
    return "?";
  }
  void answer(std::string_view status = "200 OK") {
    ends.write(slot, pyhost::BlockType::head,
               std::string("Status: ").append(status).append("\r\n\r\n"));
    ends.end(slot);
    ends.worker->finish(slot);
  }

  ChannelEnds ends{12};
  std::uint32_t slot = 0;
};

struct Fixture {
  explicit Fixture(unsigned threads = 1) : threads_(threads) {}

  PlayedWorker& add_worker(std::uint32_t generation = 1, std::uint64_t max_requests = 0) {
    workers.push_back(std::make_unique<PlayedWorker>());
    const auto id = static_cast<std::uint32_t>(workers.size());
    dispatcher.add_worker({.id = id,
                           .pool = 0,
                           .generation = generation,
                           .name = "test/" + std::to_string(id),
                           .threads = threads_,
                           .max_requests = max_requests},
                          std::move(workers.back()->ends.gateway), pool);
    dispatcher.take_over(1);
    return *workers.back();
  }

  PlayedWorker& warm_up() {
    workers.push_back(std::make_unique<PlayedWorker>());
    dispatcher.take_over(1);
    dispatcher.add_worker({.id = static_cast<std::uint32_t>(workers.size()),
                           .generation = 1,
                           .name = "test/w",
                           .threads = threads_},
                          std::move(workers.back()->ends.gateway), pool);
    dispatcher.warm_up({loop, dispatcher, record, pool, settings});
    dispatcher.run_turn();
    return *workers.back();
  }

  unsigned threads_;
  pycgid::EventLoop loop;
  pycgid::Settings settings;
  pycgid::PoolSettings pool;
  pycgid::PoolRecord record;
  std::vector<std::uint32_t> violated;
  std::vector<std::string> worn;
  std::vector<pycgid::MessageType> told;
  std::string reason;
  std::vector<std::unique_ptr<PlayedWorker>> workers;
  pycgid::Dispatcher dispatcher{loop, pool, [this](const pycgid::Message& message) {
                                  told.push_back(message.type);
                                  reason = message.text;
                                  if (message.type == pycgid::MessageType::worker_violated)
                                    violated.push_back(message.worker);
                                  if (message.type == pycgid::MessageType::worker_worn)
                                    worn.push_back(message.text);
                                }};
  PlayedFront front{{loop, dispatcher, record, pool, settings}};
};

}  // namespace dispatcher_test
