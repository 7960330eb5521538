// Both ends of a channel in one process, for tests of what stands on either side of it.
#pragma once

#include "pyhost/channel.h"
#include "tests/unit/catch.h"

#include <memory>
#include <string_view>
#include <utility>

struct ChannelEnds {
  explicit ChannelEnds(std::uint32_t slots = 4) {
    pyhost::ChannelPair pair;
    std::error_code error = pyhost::create_channel({.slots = slots}, pair);
    REQUIRE(!error);
    gateway = pyhost::GatewayEnd::open(std::move(pair.gateway), error);
    REQUIRE(gateway);
    worker = pyhost::WorkerEnd::open(std::move(pair.worker), error);
    REQUIRE(worker);
    intake = std::make_unique<pyhost::Intake>(*worker);
  }

  // A request without params or body is in `slot`, taken by the worker.
  void take(std::uint32_t slot) {
    gateway->submit(slot, {});
    const auto taken = intake->try_take();
    REQUIRE(taken);
    REQUIRE(taken->slot == slot);
  }

  void write(std::uint32_t slot, pyhost::BlockType type, std::string_view bytes) {
    REQUIRE(worker->write(slot, type, bytes) == bytes.size());
    worker->publish(slot);
  }

  void end(std::uint32_t slot, pyhost::EndKind kind = pyhost::EndKind::complete) {
    worker->write_end(slot, kind);
    worker->publish(slot);
  }

  std::unique_ptr<pyhost::GatewayEnd> gateway;
  std::unique_ptr<pyhost::WorkerEnd> worker;
  std::unique_ptr<pyhost::Intake> intake;
};
