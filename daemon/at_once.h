// How much of a length of 64 bits one system call is asked for, where size_t may have 32.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace pycgid {

inline std::size_t at_once(std::uint64_t length) {
  constexpr std::uint64_t kMost = 1 << 30;
  return static_cast<std::size_t>(std::min(length, kMost));
}

}  // namespace pycgid
