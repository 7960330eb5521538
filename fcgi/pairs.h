// Name-value pairs (FastCGI 1.0 section 3.4): the content of PARAMS, GET_VALUES and
// GET_VALUES_RESULT. Used by the decoder and the encoder alone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fcgi {

struct Pair {
  std::string_view name;
  std::string_view value;
};

// Reads the pairs of one stream, whose bytes may come in pieces of any size. A pair that lies whole
// in one piece is never copied; only one that a border cuts is assembled.
class PairReader {
 public:
  enum class Result { pair, need_more, too_long };

  // `limit`: bytes that the whole stream may have.
  explicit PairReader(std::size_t limit) : limit_(limit) {}

  // Takes one pair from the front of `input`. `need_more`: the input is used up. `too_long`: the
  // stream cannot stay within its limit, known as soon as a length says so; nothing may follow.
  // The views are valid until the next call, and no longer than the input.
  Result next(std::string_view& input, Pair& pair);

  // A pair has begun and not ended: the stream must not end here.
  bool pending() const { return !cut_.empty() && !delivered_; }

  std::size_t buffered() const { return cut_.size(); }

  // The stream has ended: gives the memory back.
  void release();

 private:
  Result read_in_place(std::string_view& input, Pair& pair);
  Result assemble(std::string_view& input, Pair& pair);

  std::size_t limit_;
  std::size_t taken_ = 0;   // bytes of the pairs delivered so far
  std::string cut_;         // the pair that a border cut
  bool delivered_ = false;  // cut_ was returned, and the caller may still look at it
};

void append_pair(std::string& out, const Pair& pair);

}  // namespace fcgi
