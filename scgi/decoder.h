// Decodes one SCGI request (Schemenauer, "SCGI: A Simple Common Gateway Interface alternative",
// 2008-06-23) into events. Pure: no sockets, no clock, no log. One decoder per connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace scgi {

struct Limits {
  std::size_t params = std::size_t{256} * 1024;  // bytes of the netstring's content
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

  // Bytes of the variable that a border of the input cut; stays within Limits.params.
  std::size_t buffered() const { return cut_.size(); }

 private:
  // What the next bytes of the input are.
  enum class State : std::uint8_t { length, variables, comma, body, surplus, failed };

  // The steps of the machine return true when `event` is to be returned to the caller; left as it
  // is, it says need_more.
  bool step(std::string_view& input, Event& event);
  bool read_length(std::string_view& input, Event& event);
  bool read_variable(std::string_view& input, Event& event);
  bool read_comma(std::string_view& input, Event& event);
  bool read_body(std::string_view& input, Event& event);

  std::size_t variable_size(std::string_view content);
  bool accept(std::string_view variable, Event& event);
  bool set_content_length(std::string_view digits);
  bool fail(Event& event, int http_status, std::string_view reason);

  Limits limits_;
  State state_ = State::length;
  bool length_begun_ = false;  // a digit of the netstring's length has come
  bool has_content_length_ = false;
  bool marked_ = false;
  std::uint64_t content_length_ = 0;
  std::uint64_t left_ = 0;  // bytes of the netstring, then of the body, that are to come

  std::string cut_;            // the first bytes of a variable that a border of the input cut
  bool delivered_ = false;     // cut_ was returned, and the caller may still look at it
  std::size_t name_size_ = 0;  // of the variable being read, once name_ended_
  bool name_ended_ = false;

  int failed_status_ = 0;
  std::string_view failure_;
};

}  // namespace scgi
