// The length encoding: one byte below 128, else four bytes, big endian, with the top bit set.
#include "fcgi/pairs.h"

#include <algorithm>
#include <cstdint>

namespace fcgi {
namespace {

constexpr std::size_t kLongBytes = 4;

// What the first bytes of a pair tell about it. 64 bits, since two lengths of 31 bits overflow 32.
struct Shape {
  std::uint64_t size;  // bytes of the pair: exact when the head is complete, else a lower bound
  std::size_t head;    // bytes of the two lengths
  std::size_t name;    // bytes of the name
};

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::size_t length_bytes(std::string_view bytes, std::size_t at) {
  return (byte_at(bytes, at) & 0x80) != 0 ? kLongBytes : 1;
}

std::size_t read_length(std::string_view bytes, std::size_t at) {
  const unsigned first = byte_at(bytes, at);
  if ((first & 0x80) == 0) return first;
  return (first & 0x7fU) << 24 | byte_at(bytes, at + 1) << 16 | byte_at(bytes, at + 2) << 8 |
         byte_at(bytes, at + 3);
}

// `bytes` is not empty. While the head is incomplete, `size` is more than bytes.size(): that many
// bytes are sure to come.
Shape shape_of(std::string_view bytes) {
  const std::size_t value_at = length_bytes(bytes, 0);
  if (bytes.size() <= value_at) return {value_at + 1, 0, 0};
  const std::size_t head = value_at + length_bytes(bytes, value_at);
  if (bytes.size() < head) return {head, 0, 0};
  const std::size_t name = read_length(bytes, 0);
  return {std::uint64_t{head} + name + read_length(bytes, value_at), head, name};
}

// `bytes` begins with a whole pair of this shape.
Pair split(std::string_view bytes, const Shape& shape) {
  const std::string_view content =
      bytes.substr(shape.head, static_cast<std::size_t>(shape.size) - shape.head);
  return {content.substr(0, shape.name), content.substr(shape.name)};
}

void append_length(std::string& out, std::size_t length) {
  if (length >= 0x80) {
    out.push_back(static_cast<char>(0x80 | length >> 24));
    out.push_back(static_cast<char>(length >> 16));
    out.push_back(static_cast<char>(length >> 8));
  }
  out.push_back(static_cast<char>(length));
}

}  // namespace

PairReader::Result PairReader::next(std::string_view& input, Pair& pair) {
  if (delivered_) {
    cut_.clear();
    delivered_ = false;
  }
  if (input.empty()) return Result::need_more;
  return cut_.empty() ? read_in_place(input, pair) : assemble(input, pair);
}

PairReader::Result PairReader::read_in_place(std::string_view& input, Pair& pair) {
  const Shape shape = shape_of(input);
  if (shape.size > limit_ - taken_) return Result::too_long;
  if (shape.size > input.size()) {
    cut_ = input;
    input = {};
    return Result::need_more;
  }
  const auto size = static_cast<std::size_t>(shape.size);
  pair = split(input, shape);
  input.remove_prefix(size);
  taken_ += size;
  return Result::pair;
}

PairReader::Result PairReader::assemble(std::string_view& input, Pair& pair) {
  while (true) {
    const Shape shape = shape_of(cut_);
    if (shape.size > limit_ - taken_) return Result::too_long;
    const std::size_t missing = static_cast<std::size_t>(shape.size) - cut_.size();
    if (missing == 0) {
      pair = split(cut_, shape);
      taken_ += cut_.size();
      delivered_ = true;
      return Result::pair;
    }
    if (input.empty()) return Result::need_more;
    const std::size_t piece = std::min(missing, input.size());
    cut_.append(input, 0, piece);
    input.remove_prefix(piece);
  }
}

void PairReader::release() {
  std::string().swap(cut_);  // Assigning an empty string would keep the capacity.
  delivered_ = false;
}

void append_pair(std::string& out, const Pair& pair) {
  append_length(out, pair.name.size());
  append_length(out, pair.value.size());
  out.append(pair.name).append(pair.value);
}

}  // namespace fcgi
