// scgi::Decoder under any bytes: however they are cut the events are the same, memory stays within
// the limits, each call gets on, and a body is as long as CONTENT_LENGTH says.
#include "scgi/decoder.h"
#include "tests/fuzz/properties.h"
#include "tests/unit/event_trace.h"
#include "tests/unit/scgi_events.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using fuzz::require;

// Small, so that short inputs reach it.
constexpr scgi::Limits kLimits{.params = 600};

class Run {
 public:
  bool feed(std::string_view piece) {
    bytes_ += piece.size();
    return codec_test::feed(decoder_, piece, trace_, [&](const auto& event) { check(event); });
  }

  const codec_test::Lines& lines() const { return trace_.lines(); }

 private:
  void check(const scgi::Event& event) {
    require(decoder_.buffered() <= kLimits.params, "buffers stay within the limit");
    if (event.type == scgi::EventType::need_more) return;
    require(++events_ <= bytes_ + 1, "no more events than bytes, and body_end");
    if (event.type == scgi::EventType::body) body_ += event.bytes.size();
    if (event.type == scgi::EventType::body_end) {
      require(body_ == decoder_.content_length(), "the body is of CONTENT_LENGTH bytes");
    }
  }

  scgi::Decoder decoder_{kLimits};
  codec_test::EventTrace trace_;
  std::uint64_t body_ = 0;
  std::size_t bytes_ = 0;
  std::size_t events_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::require_same_for_any_cut<Run>({reinterpret_cast<const char*>(data), size});
  return 0;
}
