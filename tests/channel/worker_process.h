// A worker process with threads that answer, and the gateway's end of its channel here.
#pragma once

#include "pyhost/channel.h"
#include "tests/channel/support.h"

#include <memory>

namespace channel_test {

inline constexpr pyhost::ChannelSizes kPairSizes{4, 4096, 4096, 4096};

// The worker answers params "echo" with the body, a number with as many bytes of the pattern.
struct WorkerPair {
  explicit WorkerPair(const pyhost::ChannelSizes& sizes = kPairSizes);

  pyhost::ChannelPair channel;
  std::unique_ptr<pyhost::GatewayEnd> gateway;
  Child child;
};

}  // namespace channel_test
