// What the fuzz targets of the channel's two ends share: a small channel of which one end is real
// and the other is the input, a script of what an enemy does to the memory and the socket.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/internal/channel_files.h"
#include "pyhost/internal/channel_map.h"
#include "tests/fuzz/properties.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fuzz {

// More slots than a word of ready bits has would make each input slower, and find nothing more.
inline constexpr pyhost::ChannelSizes kSizes{3, 64, 256, 256};

// Numbers out of the input; zeros behind its end.
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool is_over() const { return left_ == 0; }
  std::uint32_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::uint32_t below(std::uint32_t limit) { return byte() % limit; }
  std::uint32_t half() {
    const std::uint32_t low = byte();
    return low | byte() << 8;
  }
  // Small, just below zero, or anything.
  std::uint32_t word() {
    switch (const std::uint32_t kind = byte(); kind % 4) {
      case 0:
        return kind / 4;
      case 1:
        return ~(kind / 4);
      case 2:
        return half();
      default:
        const std::uint32_t low = half();
        return low | half() << 16;
    }
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

class Arena {
 public:
  Arena() {
    require(!pyhost::create_channel(kSizes, pair_), "a channel can be made");
    std::error_code error;
    map_.emplace(std::move(*pyhost::ChannelMap::open(pair_.gateway.memory.get(), error)));
    base_ = static_cast<char*>(::mmap(nullptr, layout_.total, PROT_READ | PROT_WRITE, MAP_SHARED,
                                      pair_.gateway.memory.get(), 0));
    require(base_ != MAP_FAILED, "and looked at");
  }
  ~Arena() { ::munmap(base_, layout_.total); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  pyhost::ChannelPair& pair() { return pair_; }
  const pyhost::ChannelMap& map() const { return *map_; }
  pyhost::Board& board() const { return map_->board(); }

  // One of: any word of all the memory, one of the words that tell positions and states, and such a
  // one moved by a little.
  void scribble(Script& script) {
    const std::uint32_t kind = script.below(4);
    if (kind == 0) return word_at(base_, layout_.total, script.half()).store(script.word());
    auto* const control = reinterpret_cast<char*>(&map_->control(script.below(kSizes.slots)));
    auto* const board = reinterpret_cast<char*>(&map_->board());
    pyhost::Word& word = kind == 1 ? word_at(board, sizeof(pyhost::Board), script.byte())
                                   : word_at(control, sizeof(pyhost::SlotControl), script.byte());
    if (kind == 3) {
      word.fetch_add(script.byte() - 128);
    } else {
      word.store(script.word());
    }
  }

  // A descriptor with a tag, from either end's side of the socket.
  static void send_file(int socket, Script& script, std::uint16_t generation) {
    const std::uint32_t kind = script.byte();
    const pyhost::UniqueFd fd(kind % 2 == 0 ? ::memfd_create("fuzz", MFD_CLOEXEC)
                                            : ::eventfd(0, EFD_CLOEXEC));
    const std::uint32_t slot = kind % 8 == 7 ? script.word() : script.below(kSizes.slots);
    pyhost::send_file(socket, {slot, kind % 16 < 8 ? generation : script.half()}, fd.get());
  }

  // Runs `change` and sees to it that it wrote to no bytes of requests, bodies and answers besides
  // those of `ring`.
  template <class Change>
  void require_only_in(const pyhost::Ring& ring, Change change) {
    const std::vector<char> before(base_ + layout_.data_at, base_ + layout_.total);
    change();
    // Where that stands in the mapping of this arena.
    const char* const first = base_ + (ring.at(0) - reinterpret_cast<char*>(&map_->board()));
    const char* const data = base_ + layout_.data_at;
    const auto at = static_cast<std::size_t>(first - data);
    require(std::memcmp(before.data(), data, at) == 0, "nothing before its ring is written");
    const std::size_t end = at + ring.size();
    require(std::memcmp(before.data() + end, data + end, before.size() - end) == 0,
            "nothing behind its ring is written");
  }

 private:
  static pyhost::Word& word_at(char* base, std::size_t bytes, std::uint32_t index) {
    return reinterpret_cast<pyhost::Word*>(base)[index % (bytes / sizeof(pyhost::Word))];
  }

  const pyhost::ChannelLayout layout_{kSizes};
  pyhost::ChannelPair pair_;
  std::optional<pyhost::ChannelMap> map_;
  char* base_ = nullptr;
};

}  // namespace fuzz
