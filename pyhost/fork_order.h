// What the master and a template (option "preload") say to each other: the master orders workers,
// each forked worker reports itself. One message is one packet on a SOCK_SEQPACKET pair. No Python
// here.
//
//   master  -- ForkOrder, with the worker's descriptors -->  template
//   master  <-- id, with the kernel's word for its pid ----  worker
//
// That a worker failed to come is seen by its status pipe, whose writing ends are all closed then:
// whatever dies, at whatever instant, nobody waits for what cannot come.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <sys/types.h>
#include <system_error>

namespace pyhost {

// A worker's side of all that connects it with master and gateway.
struct WorkerSide {
  UniqueFd status;  // takes one line: "ready" or "error STATUS MESSAGE"
  UniqueFd output;  // becomes its standard output and error
  UniqueFd log;     // see log_socket.h
  ChannelFds channel;
};

struct ForkOrder {
  std::uint32_t id = 0;      // unique in the life of the master
  std::uint32_t number = 0;  // of the worker in its pool
  WorkerSide side;
};

struct OrderLink {
  UniqueFd master;
  UniqueFd workers;  // the template's, and each forked worker's until it has reported itself
};

// Both ends are CLOEXEC.
std::error_code create_order_link(OrderLink& link);

enum class Received { message, nothing, closed };

// The master's; neither blocks. False: the template is gone, or takes nothing any more.
bool send_order(int master, const ForkOrder& order);
// `pid` is the sender's, as the kernel knows it.
Received receive_forked(int master, std::uint32_t& id, pid_t& pid);

// The template's. Blocks; `nothing` when a signal came.
Received receive_order(int workers, ForkOrder& order);
// A worker's. False: the master is gone, or wants nothing of this template any more.
bool send_forked(int workers, std::uint32_t id);

}  // namespace pyhost
