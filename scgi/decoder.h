// Decodes one SCGI request (Schemenauer, "SCGI: A Simple Common Gateway Interface alternative",
// 2008-06-23) into events. Pure: no sockets, no clock, no log. One decoder per connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace scgi {

struct Limits {
  std::size_t params = 256 * 1024;  // bytes of the netstring's content
};

enum class EventType {
  need_more,   // all input that could be used is consumed; call again with more
  param,       // name, value
  params_end,  // the netstring is complete; content_length() is known
  body,        // bytes: a slice of the body, never empty
  body_end,    // exactly CONTENT_LENGTH bytes have come
  surplus,     // bytes after the body: ignored, or the tunnel after an upgrade
  error        // http_status (400, 431), reason: the request is unusable; answer and close
};

// Views point into the input given to next() or into the decoder, and are valid until the next
// call.
struct Event {
  EventType type = EventType::need_more;
  std::string_view name;
  std::string_view value;
  std::string_view bytes;
  int http_status = 0;
  std::string_view reason;
};

class Decoder {
 public:
  explicit Decoder(const Limits& limits) : limits_(limits) {}

  // Consumes from the front of `input` and returns one event. Any cut of the input gives the same
  // events (body and surplus slices may be cut differently). After `need_more` the input is empty;
  // after `error` every further call returns the same error and consumes everything.
  Event next(std::string_view& input);

  // Valid from params_end on.
  std::uint64_t content_length() const { return content_length_; }

  // The variable SCGI=1 was there (nginx without "include scgi_params" leaves it out). Valid from
  // params_end on; its absence is no error.
  bool marked() const { return marked_; }

  std::size_t buffered() const;

 private:
  Limits limits_;
  std::uint64_t content_length_ = 0;
  bool marked_ = false;
};

}  // namespace scgi
