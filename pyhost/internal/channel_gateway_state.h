// What the gateway believes about a channel, out of the worker's reach.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/internal/channel_map.h"

#include <array>
#include <utility>
#include <vector>

namespace pyhost {

struct GatewaySlot {
  Phase phase = Phase::free;
  std::uint16_t generation = 1;  // 0 is what the memory starts with
  bool unread = false;           // aborted or satisfied: its answer is not read to the end
  std::uint32_t body_tail = 0;
  std::uint32_t body_head = 0;  // as last copied and checked
  std::uint32_t response_head = 0;
  std::uint32_t response_tail = 0;  // as last copied and checked
  BlockType block_type = BlockType::body;
  std::uint32_t block_left = 0;                 // bytes of the current block that are not consumed
  std::uint32_t piece_left = 0;                 // of those, what peek() gave
  std::array<char, sizeof(FileRange)> small{};  // a whole `end` or `file` block
  UniqueFd file;                                // came for this generation
};

struct GatewayEnd::State {
  State(ChannelMap mapping, ChannelFds fds)
      : map(std::move(mapping)),
        bell(std::move(fds.bell)),
        passing(std::move(fds.passing)),
        slots(map.sizes().slots) {}

  bool in_use(std::uint32_t slot) const { return slots[slot].phase != Phase::free; }
  // Prepares everything that the next request finds in the slot.
  void become_free(std::uint32_t slot);

  // Requests that the worker has taken off the queue, as last copied and checked.
  std::uint32_t taken();
  // How much of the body is in its ring; nothing else fits into a ring whose reader cannot be
  // believed.
  std::uint32_t unread_body(std::uint32_t slot);

  // The bits of a ready word that belong to slots.
  std::uint64_t real_slots(std::uint32_t word) const;
  bool anything_ready() const;
  long read_bell(std::uint64_t& rings) const;
  void empty_bell();

  // Checks the header at the head of the response ring and steps over it.
  Peek next_block(std::uint32_t slot);
  // Takes all descriptors off the socket and keeps those that belong to a request under way.
  void collect_files();

  ChannelMap map;
  UniqueFd bell;
  UniqueFd passing;
  std::vector<GatewaySlot> slots;
  std::uint32_t queue_tail = 0;
  std::uint32_t queue_head = 0;  // as last copied and checked
  std::string_view nonsense;     // the first that was seen
  bool asleep = false;           // between prepare_sleep and woke
  std::uint64_t rings_due = 0;   // rings that the worker has announced and that were not read yet
  std::uint32_t quiet_wakes = 0;
};

// Threads of the worker that wait there look again. Clearing the flag before `signal` changes makes
// one futex call of many events.
inline void wake_waiting(Waiting there) {
  if (there.waiting.load() == 0 || there.waiting.exchange(0) == 0) return;
  there.signal.fetch_add(1);
  futex_wake(there.signal, kAllSleepers);
}

}  // namespace pyhost
