// Latencies in buckets of at most 1.6 % width, so that millions of them cost neither memory nor a
// sort.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace bench {

class Histogram {
 public:
  void add(std::uint64_t value) {
    ++counts_[index(value)];
    ++total_;
  }

  // The upper end of the bucket that holds the given fraction (0 to 1) of all values.
  std::uint64_t quantile(double fraction) const {
    const auto rank = static_cast<std::uint64_t>(fraction * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return upper_end(i);
    }
    return 0;
  }

 private:
  static constexpr std::size_t kBits = 6;
  static constexpr std::size_t kPerOctave = std::size_t{1} << kBits;

  static std::size_t index(std::uint64_t value) {
    if (value < kPerOctave) return static_cast<std::size_t>(value);
    const auto shift = static_cast<std::size_t>(std::bit_width(value)) - kBits - 1;
    return shift * kPerOctave + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t upper_end(std::size_t index) {
    if (index < 2 * kPerOctave) return index;
    const std::size_t shift = index / kPerOctave - 1;
    return (std::uint64_t{index % kPerOctave + kPerOctave + 1} << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kPerOctave> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace bench
