// One side's mapping of a channel. Sizes are copied and checked once, when it is opened; every
// address is computed from that copy, so nothing that the other side writes later moves one.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/internal/channel_layout.h"
#include "pyhost/internal/channel_ring.h"

#include <optional>
#include <span>
#include <system_error>

namespace pyhost {

class ChannelMap {
 public:
  static std::optional<ChannelMap> open(int memory, std::error_code& error);
  ~ChannelMap();
  ChannelMap(ChannelMap&& other) noexcept;
  ChannelMap(const ChannelMap&) = delete;
  ChannelMap& operator=(const ChannelMap&) = delete;
  ChannelMap& operator=(ChannelMap&&) = delete;

  const ChannelSizes& sizes() const { return sizes_; }
  std::uint32_t queue_entries() const { return layout_.queue_entries; }
  std::uint32_t ready_words() const { return (sizes_.slots + 63) / 64; }

  Board& board() const { return *at<Board>(0); }
  Word& queue_entry(std::uint32_t position) const {
    return at<Word>(layout_.queue_at)[position & (layout_.queue_entries - 1)];
  }
  SlotControl& control(std::uint32_t slot) const {
    return at<SlotControl>(layout_.controls_at)[slot];
  }
  std::span<char> request_area(std::uint32_t slot) const {
    return {data(slot), sizes_.request_bytes};
  }
  Ring body_ring(std::uint32_t slot) const {
    return {data(slot) + layout_.body_in_data, sizes_.body_bytes};
  }
  Ring response_ring(std::uint32_t slot) const {
    return {data(slot) + layout_.response_in_data, sizes_.response_bytes};
  }

 private:
  ChannelMap(void* base, const ChannelSizes& sizes);

  // The memory starts as zeros, which is what all these types start as.
  template <class Type>
  Type* at(std::size_t offset) const {
    return reinterpret_cast<Type*>(base_ + offset);
  }
  char* data(std::uint32_t slot) const {
    return base_ + layout_.data_at + slot * layout_.data_stride;
  }

  char* base_;
  ChannelSizes sizes_;
  ChannelLayout layout_;
};

// Wakes the thread that waits for demands, to look again.
// The gateway's to call, and once it is gone the worker's. There is no way back.
inline void set_farewell(Board& board, Farewell farewell) {
  const auto word = static_cast<std::uint32_t>(farewell);
  if (board.farewell.load() >= word) return;
  board.farewell.store(word);
  futex_wake(board.farewell, kAllSleepers);
}

inline void announce_demand(Board& board) {
  board.demands.fetch_add(1);
  futex_wake(board.demands, kAllSleepers);
}

}  // namespace pyhost
