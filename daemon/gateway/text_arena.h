// Many small texts in one string, pointed at by offset, because the string moves as it grows.
// Reused from request to request, so that a warm one allocates nothing. Pure.
#pragma once

#include "daemon/gateway/http_syntax.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace pycgid {

// Empties `text` and gives its memory back when that is more than `kept_capacity`. By swapping:
// assigning an empty string keeps the memory (libstdc++).
inline void empty_text(std::string& text, std::size_t kept_capacity) {
  text.clear();
  if (text.capacity() > kept_capacity) std::string().swap(text);
}

class TextArena {
 public:
  struct Slice {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };

  // Views are valid until the next append or clear.
  std::string_view view(Slice slice) const { return {text_.data() + slice.at, slice.size}; }
  std::size_t size() const { return text_.size(); }

  // Gives memory above `kept_capacity` back.
  void clear(std::size_t kept_capacity) { empty_text(text_, kept_capacity); }

  void reserve(std::size_t capacity) { text_.reserve(capacity); }

  Slice append(std::string_view text) {
    const std::size_t start = text_.size();
    text_.append(text);
    return since(start);
  }

  // A copy of a slice of this arena.
  Slice append(Slice slice) {
    const std::size_t start = text_.size();
    text_.append(text_, slice.at, slice.size);
    return since(start);
  }

  // A percent-decoded copy; escapes that are none stay as they are.
  Slice append_decoded(Slice encoded) {
    const std::size_t start = text_.size();
    text_.resize(start + encoded.size);
    const std::string_view from = view(encoded);
    std::size_t end = start;
    for (std::size_t i = 0; i < from.size(); ++i) {
      const int byte = escaped_byte(from.substr(i));
      text_[end++] = byte < 0 ? from[i] : static_cast<char>(byte);
      if (byte >= 0) i += 2;
    }
    text_.resize(end);
    return since(start);
  }

  // Everything appended since size() was `start`.
  Slice since(std::size_t start) const {
    return {static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(text_.size() - start)};
  }

 private:
  std::string text_;
};

}  // namespace pycgid
