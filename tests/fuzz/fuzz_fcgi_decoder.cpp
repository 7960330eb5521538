// fcgi::Decoder under any bytes: however they are cut the events are the same, memory stays within
// the limits, each call gets on, and what the encoder writes is read back unchanged.
#include "fcgi/decoder.h"
#include "fcgi/encoder.h"
#include "tests/fuzz/properties.h"
#include "tests/unit/event_trace.h"
#include "tests/unit/fcgi_bytes.h"
#include "tests/unit/fcgi_events.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using codec_test::Lines;
using fuzz::require;

// Small, so that short inputs reach them.
constexpr fcgi::Limits kLimits{.params = 600, .requests = 3};
constexpr std::size_t kHeaderAndGetValues = 8 + 65535;

// Some requests are ended at once, some live on. Slices decide nothing, since a cut moves them.
bool application_ends(const fcgi::Event& event) {
  switch (event.type) {
    case fcgi::EventType::abort:
    case fcgi::EventType::bad_request:
      return event.request_id % 2 == 0;
    case fcgi::EventType::params_end:
      return event.request_id % 4 == 2;
    case fcgi::EventType::body_end:
      return event.request_id % 4 == 1;
    default:
      return false;
  }
}

class Run {
 public:
  bool feed(std::string_view piece) {
    bytes_ += piece.size();
    return codec_test::feed(decoder_, piece, trace_, [&](const auto& event) { check(event); });
  }

  const Lines& lines() const { return trace_.lines(); }

 private:
  void check(const fcgi::Event& event) {
    require(decoder_.live() <= kLimits.requests, "live requests stay within the limit");
    require(decoder_.buffered() <= decoder_.live() * kLimits.params + kHeaderAndGetValues,
            "buffers stay within the limits");
    if (event.type == fcgi::EventType::need_more) return;
    require(++events_ <= bytes_, "no more events than bytes");
    if (application_ends(event)) decoder_.end(event.request_id);
  }

  fcgi::Decoder decoder_{kLimits};
  codec_test::EventTrace trace_;
  std::size_t bytes_ = 0;
  std::size_t events_ = 0;
};

// The encoder's records, STDOUT turned into STDIN, give the same bytes back.
void require_encoder_reversed(std::string_view bytes) {
  bytes = bytes.substr(0, fcgi::kMaxContent);
  std::string record;
  fcgi::append_stdout(record, 1, bytes);
  if (!record.empty()) record[1] = fcgi_test::kStdin;
  const std::string stream =
      fcgi_test::begin(1) + fcgi_test::params_end(1) + record + fcgi_test::body_end(1);
  Lines expected = {"begin 1 responder", "params_end 1"};
  if (!bytes.empty()) expected.push_back("body 1 " + std::string(bytes));
  expected.push_back("body_end 1");
  require(fuzz::decode<Run>(stream, {}) == expected, "decoding the encoded is the identity");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fuzz::require_same_for_any_cut<Run>(bytes);
  require_encoder_reversed(bytes);
  return 0;
}
