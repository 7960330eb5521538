// What stands where in a channel's shared memory:
//
//   Board | submission ring | SlotControl x slots | (request area, body ring, response ring) x
//   slots
//
// Memory that no request has used yet is never touched, so an idle channel costs a few pages.
// Each word names its writer; words of different writers are on cache lines of their own.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/internal/channel_gate.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pyhost {

inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kPage = 4096;

inline constexpr std::uint64_t kChannelMagic = 0x6e61'6863'6467'6379;  // "ycgdchan"
inline constexpr std::uint64_t kChannelVersion = 3;

// A block's length has 24 bits of its header.
inline constexpr std::uint32_t kSmallestRing = 256;
inline constexpr std::uint32_t kLargestRing = 1U << 23;
inline constexpr std::uint32_t kLargestRequest = 1U << 30;

struct ChannelHeader {
  std::uint64_t magic = kChannelMagic;
  std::uint64_t version = kChannelVersion;
  ChannelSizes sizes;
};

using ReadyWord = std::atomic<std::uint64_t>;
static_assert(ReadyWord::is_always_lock_free && std::atomic<Sleep>::is_always_lock_free);

// One for the channel.
struct Board {
  ChannelHeader header;                 // written by create_channel
  alignas(kCacheLine) Word queue_tail;  // gateway
  Word stopping;                        // gateway
  Word farewell;                        // gateway; a Farewell
  Word few_threads;                     // gateway; threads don't wake each other
  Word demands;                         // gateway; changes when a slot's `demand` was set
  alignas(kCacheLine) Word queue_head;  // worker's threads, by compare and exchange
  alignas(kCacheLine) Gate gate;        // both
  alignas(kCacheLine) std::atomic<Sleep> gateway_sleeps;  // gateway sets it; who clears it rings
  Word nap_reserve;                                       // gateway, before it naps
  alignas(kCacheLine) Word wants_successor;               // worker
  alignas(kCacheLine) std::array<ReadyWord, kMaxSlots / 64> ready;  // worker sets, gateway clears
};

// How near a worker's end is.
enum class Farewell : std::uint32_t {
  none = 0,
  ahead,   // no more requests before long
  overdue  // its requests were cut, and what is left of it is killed soon
};

enum class BodyEnd : std::uint32_t { open, whole, broken };

// Whether what the worker writes is read.
enum class Interest : std::uint32_t {
  all = 0,
  satisfied,  // the front has the whole answer; the application may finish
  none        // nobody wants it: the application is to stop
};

// Where threads of the worker wait for what the gateway does with one of a slot's rings. One for
// each ring: a request may wait in both at once, for its body and for room in its answer.
struct Waiting {
  Word& signal;   // changes when who waits is to look again
  Word& waiting;  // who waits sets it, and never clears it
};

// One for each slot. Positions start at 0 with each request: small answers stay in warm memory.
struct SlotControl {
  Waiting for_body() { return {body_signal, body_waiting}; }
  Waiting for_room() { return {room_signal, room_waiting}; }

  alignas(kCacheLine) Word state;  // generation and phase, by compare and exchange
  RequestHead head;                // gateway, before `state` says queued

  alignas(kCacheLine) Word body_tail;  // gateway
  std::atomic<BodyEnd> body_end;       // gateway
  std::atomic<Interest> interest;      // gateway
  Word response_head;                  // gateway
  Word body_signal;                    // gateway, see Waiting
  Word room_signal;                    // gateway
  Word demand;                         // gateway sets it, the worker takes it

  alignas(kCacheLine) Word response_tail;  // worker
  Word body_head;                          // worker
  Word body_waiting;                       // worker sets it, gateway clears it
  Word room_waiting;                       // likewise
};
static_assert(std::atomic<BodyEnd>::is_always_lock_free &&
              std::atomic<Interest>::is_always_lock_free);

// A slot's generation changes each time it becomes free, so that a revoked entry of the submission
// ring or a late descriptor is never taken for the slot's next request. The ring is far shorter
// than 2^16 entries.
constexpr std::uint32_t state_word(std::uint16_t generation, Phase phase) {
  return std::uint32_t{generation} << 8 | static_cast<std::uint32_t>(phase);
}
constexpr std::uint32_t demand_word(std::uint16_t generation, Demand demand) {
  return std::uint32_t{generation} << 8 | static_cast<std::uint32_t>(demand);
}
constexpr std::uint32_t queue_entry(std::uint32_t slot, std::uint16_t generation) {
  return slot | std::uint32_t{generation} << 16;
}
constexpr std::uint32_t entry_slot(std::uint32_t entry) {
  return entry & 0xffff;
}
constexpr std::uint16_t entry_generation(std::uint32_t entry) {
  return static_cast<std::uint16_t>(entry >> 16);
}

// Blocks of the response ring start at multiples of 4: a header word, the bytes, padding.
inline constexpr std::uint32_t kBlockHeader = 4;
constexpr std::uint32_t block_header(BlockType type, std::uint32_t length) {
  return std::uint32_t{static_cast<std::uint8_t>(type)} << 24 | length;
}
constexpr std::uint32_t round_up(std::uint32_t value, std::uint32_t step) {
  return (value + step - 1) & ~(step - 1);
}
constexpr std::uint32_t block_bytes(std::uint32_t length) {
  return kBlockHeader + round_up(length, 4);
}
inline constexpr std::uint32_t kEndBlock = block_bytes(1);
inline constexpr std::uint32_t kFileBlock = block_bytes(sizeof(FileRange));

// Whether a channel of these sizes can be made; then the offsets of its parts.
bool sizes_are_sane(const ChannelSizes& sizes);

struct ChannelLayout {
  explicit ChannelLayout(const ChannelSizes& sizes);

  std::uint32_t queue_entries;  // a power of two, at least twice the slots
  std::size_t queue_at;
  std::size_t controls_at;
  std::size_t data_at;
  std::size_t body_in_data;
  std::size_t response_in_data;
  std::size_t data_stride;
  std::size_t total;
};

}  // namespace pyhost
