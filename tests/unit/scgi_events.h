// Runs scgi::Decoder over bytes and returns its events as lines: "param A=b".
#pragma once

#include "scgi/decoder.h"
#include "tests/unit/event_trace.h"

#include <string>

namespace scgi_test {

using codec_test::Cut;
using codec_test::EventTrace;
using codec_test::Lines;

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

// False after an error. A slice that is empty, or input that is left behind, becomes a line too.
inline bool feed(scgi::Decoder& decoder, std::string_view input, EventTrace& trace) {
  while (true) {
    const scgi::Event event = decoder.next(input);
    const bool slice =
        event.type == scgi::EventType::body || event.type == scgi::EventType::surplus;
    if (slice && event.bytes.empty()) trace.add("an empty slice");
    add_event(trace, event);
    if (event.type == scgi::EventType::error) return false;
    if (event.type != scgi::EventType::need_more) continue;
    if (!input.empty()) trace.add("need_more, but input is left");
    return true;
  }
}

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
