// Bytes of a ring in shared memory. Positions count up for ever and wrap at 2^32, of which the
// ring's size, a power of two, is a divisor. Who may touch which bytes is the callers' business.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace pyhost {

class Ring {
 public:
  Ring(char* base, std::uint32_t size) : base_(base), size_(size) {}

  std::uint32_t size() const { return size_; }
  char* at(std::uint32_t position) const { return base_ + (position & (size_ - 1)); }
  // How many bytes follow `position` before the ring starts over.
  std::uint32_t contiguous(std::uint32_t position) const {
    return size_ - (position & (size_ - 1));
  }

  // At most size() bytes.
  void copy_in(std::uint32_t position, std::string_view bytes) const {
    const std::size_t first = std::min<std::size_t>(bytes.size(), contiguous(position));
    std::memcpy(at(position), bytes.data(), first);
    std::memcpy(base_, bytes.data() + first, bytes.size() - first);
  }
  void copy_out(std::uint32_t position, std::span<char> into) const {
    const std::size_t first = std::min<std::size_t>(into.size(), contiguous(position));
    std::memcpy(into.data(), at(position), first);
    std::memcpy(into.data() + first, base_, into.size() - first);
  }

 private:
  char* base_;
  std::uint32_t size_;
};

}  // namespace pyhost
