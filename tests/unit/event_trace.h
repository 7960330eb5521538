// The events of a decoder as lines of text, for unit tests and fuzz targets of both codecs.
// Neighbouring slices of one stream are joined, because a decoder may cut them anywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace codec_test {

using Lines = std::vector<std::string>;

class EventTrace {
 public:
  void add(std::string line) {
    lines_.push_back(std::move(line));
    slice_of_.clear();
  }

  // `stream` names the stream that the slice belongs to: "body 1".
  void add_slice(const std::string& stream, std::string_view bytes) {
    if (bytes.empty()) add("an empty slice of " + stream);
    if (slice_of_ != stream) {
      add(stream + " ");
      slice_of_ = stream;
    }
    lines_.back().append(bytes);
  }

  const Lines& lines() const { return lines_; }

 private:
  Lines lines_;
  std::string slice_of_;  // the stream of the last line, when that is of slices
};

// Where an input is cut into pieces: `next` bytes from here, then each `every` bytes. By default
// never.
struct Cut {
  std::size_t next = std::string_view::npos;
  std::size_t every = std::string_view::npos;
};

// Calls `feed(piece)` for each piece of `bytes`, and leaves `cut` ready for the bytes that follow.
// A piece is a string of its own, so that a sanitizer sees a decoder that reads beyond it or keeps
// a view of it. False as soon as `feed` says so.
template <typename Feed>
bool for_each_piece(std::string_view bytes, Cut& cut, Feed feed) {
  while (!bytes.empty()) {
    const std::string piece(bytes.substr(0, cut.next));
    bytes.remove_prefix(piece.size());
    cut.next -= piece.size();
    if (cut.next == 0) cut.next = cut.every;
    if (!feed(std::string_view(piece))) return false;
  }
  return true;
}

// Lets `decoder` read all of `input`. Each event goes into `trace`, by way of the codec's own
// add_event(), and then to `watch`. False after an error.
template <typename Decoder, typename Watch>
bool feed(Decoder& decoder, std::string_view input, EventTrace& trace, Watch watch) {
  while (true) {
    const auto event = decoder.next(input);
    using EventType = decltype(event.type);
    add_event(trace, event);
    watch(event);
    if (event.type == EventType::error) return false;
    if (event.type == EventType::need_more) break;
  }
  if (!input.empty()) trace.add("need_more, but input is left");
  return true;
}

template <typename Decoder>
bool feed(Decoder& decoder, std::string_view input, EventTrace& trace) {
  return feed(decoder, input, trace, [](const auto&) {});
}

// Lets `decode(cut)` decode an input of `size` bytes whole, byte by byte, and cut in two at every
// place (at 500 places when it is long). Returns the lines when they are the same each time.
template <typename Decode>
Lines same_for_any_cut(std::size_t size, Decode decode) {
  const Lines whole = decode(Cut{});
  if (decode(Cut{1, 1}) != whole) return {"other events when fed byte by byte"};
  for (std::size_t at = 1; at < size; at += 1 + size / 500) {
    if (decode(Cut{.next = at}) != whole) {
      return {"other events when cut at byte " + std::to_string(at)};
    }
  }
  return whole;
}

}  // namespace codec_test
