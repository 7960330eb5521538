// What the fuzz targets of both decoders demand.
#pragma once

#include "tests/unit/event_trace.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace fuzz {

inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property broken: %s\n", property);
  std::abort();
}

// `Run` is a decoder with what watches over it: feed(piece), false after an error, and lines().
template <typename Run>
codec_test::Lines decode(std::string_view bytes, codec_test::Cut cut) {
  Run run;
  codec_test::for_each_piece(bytes, cut, [&](std::string_view piece) { return run.feed(piece); });
  return run.lines();
}

template <typename Run>
void require_same_for_any_cut(std::string_view bytes) {
  const codec_test::Lines whole = decode<Run>(bytes, {});
  const std::size_t size = bytes.size();
  require(decode<Run>(bytes, {1, 1}) == whole, "the same events byte by byte");
  require(decode<Run>(bytes, {1 + size / 3, 2 + size % 29}) == whole,
          "the same events in uneven pieces");
}

}  // namespace fuzz
