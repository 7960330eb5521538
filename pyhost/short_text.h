// A short text for a line of the log, with no memory besides its own: a worker that is short of
// memory still says why. What does not fit is cut. No Python here.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace pyhost {

class ShortText {
 public:
  static constexpr std::size_t kRoom = 6 * 1024;

  ShortText() {}  // the bytes are written before they are read
  explicit ShortText(std::string_view text) { append(text); }

  ShortText& append(std::string_view text) {
    const std::size_t kept = std::min(text.size(), kRoom - size_);
    if (kept > 0) std::memcpy(bytes_.data() + size_, text.data(), kept);
    size_ += kept;
    return *this;
  }
  ShortText& append_number(long long number) {
    std::array<char, 24> digits;
    const char* const end = std::to_chars(digits.begin(), digits.end(), number).ptr;
    return append({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }

  std::string_view view() const { return {bytes_.data(), size_}; }
  operator std::string_view() const { return view(); }

 private:
  std::array<char, kRoom> bytes_;
  std::size_t size_ = 0;
};

}  // namespace pyhost
