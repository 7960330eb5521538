// scgi::Decoder under any bytes: however they are cut the events are the same, memory stays within
// the limits, and each call gets on.
#include "scgi/decoder.h"
#include "tests/fuzz/require.h"
#include "tests/unit/event_trace.h"
#include "tests/unit/scgi_events.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using codec_test::Cut;
using codec_test::EventTrace;
using codec_test::Lines;
using fuzz::require;

// Small, so that short inputs reach it.
constexpr scgi::Limits kLimits{.params = 600};

class Run {
 public:
  // False after an error.
  bool feed(std::string_view piece) {
    bytes_ += piece.size();
    while (true) {
      const scgi::Event event = decoder_.next(piece);
      require(decoder_.buffered() <= kLimits.params, "buffers stay within the limit");
      if (event.type == scgi::EventType::need_more) break;
      require(++events_ <= bytes_ + 1, "no more events than bytes, and body_end");
      count_body(event);
      scgi_test::add_event(trace_, event);
      if (event.type == scgi::EventType::error) return false;
    }
    require(piece.empty(), "need_more uses the input up");
    return true;
  }

  const Lines& lines() const { return trace_.lines(); }

 private:
  void count_body(const scgi::Event& event) {
    if (event.type == scgi::EventType::body) body_ += event.bytes.size();
    if (event.type == scgi::EventType::body_end) {
      require(body_ == decoder_.content_length(), "the body is of CONTENT_LENGTH bytes");
    }
  }

  scgi::Decoder decoder_{kLimits};
  EventTrace trace_;
  std::uint64_t body_ = 0;
  std::size_t bytes_ = 0;
  std::size_t events_ = 0;
};

Lines decode(std::string_view bytes, Cut cut) {
  Run run;
  codec_test::for_each_piece(bytes, cut, [&](std::string_view piece) { return run.feed(piece); });
  return run.lines();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Lines whole = decode(bytes, {});
  const Cut uneven{.next = 1 + size / 3, .every = 2 + size % 29};
  require(decode(bytes, {1, 1}) == whole, "the same events byte by byte");
  require(decode(bytes, uneven) == whole, "the same events in uneven pieces");
  return 0;
}
