// How the variables of a request stand in the channel's request area: for each variable two
// native-endian 32-bit lengths, then the name, then the value, with nothing between them.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace pyhost {

// Writes variables into memory that the caller owns. add() returns false, and writes nothing, when
// the variable does not fit.
class ParamsWriter {
 public:
  explicit ParamsWriter(std::span<char> area) : area_(area) {}

  bool add(std::string_view name, std::string_view value) {
    const std::uint64_t need = 8 + std::uint64_t{name.size()} + value.size();
    if (need > area_.size() - used_) return false;
    put_length(name.size());
    put_length(value.size());
    put(name);
    put(value);
    return true;
  }

  std::size_t bytes() const { return used_; }

 private:
  void put_length(std::size_t length) {
    const auto narrow = static_cast<std::uint32_t>(length);
    std::memcpy(area_.data() + used_, &narrow, sizeof narrow);
    used_ += sizeof narrow;
  }
  void put(std::string_view text) {
    std::memcpy(area_.data() + used_, text.data(), text.size());
    used_ += text.size();
  }

  std::span<char> area_;
  std::size_t used_ = 0;
};

// Walks what ParamsWriter wrote. next() returns false at the end, or where the block is damaged.
class ParamsReader {
 public:
  explicit ParamsReader(std::string_view block) : rest_(block) {}

  bool next(std::string_view& name, std::string_view& value) {
    std::uint32_t lengths[2];
    if (rest_.size() < sizeof lengths) return false;
    std::memcpy(lengths, rest_.data(), sizeof lengths);
    rest_.remove_prefix(sizeof lengths);
    if (std::uint64_t{lengths[0]} + lengths[1] > rest_.size()) return false;
    name = rest_.substr(0, lengths[0]);
    value = rest_.substr(lengths[0], lengths[1]);
    rest_.remove_prefix(name.size() + value.size());
    return true;
  }

 private:
  std::string_view rest_;
};

}  // namespace pyhost
