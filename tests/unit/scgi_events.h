// Runs scgi::Decoder over bytes and returns its events as lines: "param A=b".
#pragma once

#include "scgi/decoder.h"
#include "tests/unit/event_trace.h"

#include <string>

namespace codec_test {

inline void add_event(EventTrace& trace, const scgi::Event& event) {
  using scgi::EventType;
  switch (event.type) {
    case EventType::need_more:
      return;
    case EventType::param:
      return trace.add("param " + std::string(event.name) + "=" + std::string(event.value));
    case EventType::params_end:
      return trace.add("params_end");
    case EventType::body:
      return trace.add_slice("body", event.bytes);
    case EventType::body_end:
      return trace.add("body_end");
    case EventType::surplus:
      return trace.add_slice("surplus", event.bytes);
    case EventType::error:
      return trace.add("error " + std::to_string(event.http_status) + " " +
                       std::string(event.reason));
  }
}

}  // namespace codec_test

namespace scgi_test {

using codec_test::Cut;
using codec_test::EventTrace;
using codec_test::feed;
using codec_test::Lines;

inline Lines decode(const std::string& bytes, const scgi::Limits& limits, Cut cut) {
  scgi::Decoder decoder(limits);
  EventTrace trace;
  codec_test::for_each_piece(bytes, cut,
                             [&](std::string_view piece) { return feed(decoder, piece, trace); });
  return trace.lines();
}

// The events of these bytes, which are the same however they are cut.
inline Lines events(const std::string& bytes, const scgi::Limits& limits = {}) {
  return codec_test::same_for_any_cut(bytes.size(),
                                      [&](Cut cut) { return decode(bytes, limits, cut); });
}

}  // namespace scgi_test
