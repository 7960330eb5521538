// The gateway's end of the channel, where it reads: answers and the descriptors that belong to
// them. Everything here was written by a worker that is not trusted; no loop is bounded by it.
#include "pyhost/internal/channel_files.h"
#include "pyhost/internal/channel_gateway_state.h"

#include <algorithm>
#include <atomic>
#include <span>
#include <utility>

namespace pyhost {
namespace {

bool is_small(BlockType type) {
  return type == BlockType::end || type == BlockType::file;
}

bool length_fits(BlockType type, std::uint32_t length) {
  switch (type) {
    case BlockType::head:
    case BlockType::body:
      return length >= 1;
    case BlockType::file:
      return length == sizeof(FileRange);
    case BlockType::end:
      return length == 1;
  }
  return false;
}

}  // namespace

GatewayEnd::Peek GatewayEnd::State::next_block(std::uint32_t slot) {
  GatewaySlot& mine = slots[slot];
  const Ring ring = map.response_ring(slot);
  mine.response_tail = map.control(slot).response_tail.load();
  const std::uint32_t available = mine.response_tail - mine.response_head;
  if (available == 0) return Peek::empty;
  if (available > ring.size() || available % 4 != 0) return Peek::violation;

  // Through an atomic, so that the compiler cannot read it again after the checks.
  auto* const shared = reinterpret_cast<std::uint32_t*>(ring.at(mine.response_head));
  const std::uint32_t header = std::atomic_ref(*shared).load(std::memory_order_relaxed);
  const auto type = static_cast<BlockType>(header >> 24);
  const std::uint32_t length = header & 0xff'ffff;
  if (!length_fits(type, length) || block_bytes(length) > available) return Peek::violation;
  mine.block_type = type;
  mine.block_left = length;
  mine.response_head += kBlockHeader;
  return Peek::block;
}

GatewayEnd::Peek GatewayEnd::peek(std::uint32_t slot, Block& block) {
  GatewaySlot& mine = state_->slots[slot];
  if (!state_->in_use(slot)) return Peek::empty;
  if (mine.block_left == 0) {
    const Peek found = state_->next_block(slot);
    if (found != Peek::block) return found;
  }
  const Ring ring = state_->map.response_ring(slot);
  block.type = mine.block_type;
  if (is_small(mine.block_type)) {
    mine.piece_left = mine.block_left;
    ring.copy_out(mine.response_head, std::span(mine.small).first(mine.block_left));
    block.bytes = {mine.small.data(), mine.block_left};
  } else {
    mine.piece_left = std::min(mine.block_left, ring.contiguous(mine.response_head));
    block.bytes = {ring.at(mine.response_head), mine.piece_left};
  }
  return Peek::block;
}

void GatewayEnd::consume(std::uint32_t slot, std::size_t bytes) {
  GatewaySlot& mine = state_->slots[slot];
  SlotControl& control = state_->map.control(slot);
  const auto eaten = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, mine.piece_left));
  mine.piece_left -= eaten;
  mine.block_left -= eaten;
  mine.response_head += eaten;
  if (mine.block_left == 0) mine.response_head = round_up(mine.response_head, 4);
  control.response_head.store(mine.response_head);

  // A worker that is woken for each piece would run for each piece: it waits for half a ring.
  const std::uint32_t unread = mine.response_tail - mine.response_head;
  if (unread <= state_->map.sizes().response_bytes / 2) wake_waiting(control.for_room());
}

void GatewayEnd::State::collect_files() {
  // A worker has one descriptor for each slot on its way; one that floods us is not waited for.
  for (std::uint32_t limit = 2 * map.sizes().slots; limit > 0; --limit) {
    FileTag tag;
    UniqueFd fd;
    if (!pyhost::receive_file(passing.get(), tag, fd)) return;
    // Anything but a regular file could block the gateway.
    const bool wanted = fd && tag.slot < slots.size() && in_use(tag.slot) &&
                        tag.generation == slots[tag.slot].generation && is_regular_file(fd.get());
    if (wanted) slots[tag.slot].file = std::move(fd);
  }
}

UniqueFd GatewayEnd::receive_file(std::uint32_t slot) {
  if (!state_->slots[slot].file) state_->collect_files();
  return std::move(state_->slots[slot].file);
}

}  // namespace pyhost
