// Decodes the byte stream that a web server sends on one FastCGI 1.0 connection into events.
// Pure: no sockets, no clock, no log, no exceptions besides bad_alloc. One decoder per connection,
// used by one thread. daemon/gateway/fcgi_connection.cpp is its only caller outside the tests.
#pragma once

#include "fcgi/pairs.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fcgi {

// FastCGI 1.0 section 6, the roles that FCGI_BEGIN_REQUEST may ask for.
enum class Role : std::uint16_t { responder = 1, authorizer = 2, filter = 3 };

// Section 5.5, protocolStatus of FCGI_END_REQUEST.
enum class EndStatus : std::uint8_t {
  request_complete = 0,
  cant_mpx_conn = 1,
  overloaded = 2,
  unknown_role = 3
};

struct Limits {
  std::size_t params = std::size_t{256} * 1024;  // bytes of the PARAMS stream of one request
  std::size_t requests = 256;                    // live requests on one connection
};

enum class EventType {
  need_more,    // all input that could be used is consumed; call again with more
  begin,        // request_id, role, keep_connection
  param,        // request_id, name, value: one variable
  params_end,   // request_id: the PARAMS stream has ended
  body,         // request_id, bytes: a slice of STDIN, never empty
  body_end,     // request_id: STDIN has ended
  data,         // request_id, bytes: a slice of DATA (Filter), never empty
  data_end,     // request_id
  abort,        // request_id: FCGI_ABORT_REQUEST for a live request
  refuse,       // request_id, end_status: a BEGIN_REQUEST that was not accepted (unknown role, too
                // many live requests). Answer END_REQUEST with end_status; the id stays inactive
  bad_request,  // request_id, http_status (400 or 431), reason, name (its beginning, of a variable
                // that is the cause): the PARAMS of this request are unusable. No param or
                // params_end follows for it; body, body_end and abort do
  get_values,   // name: one name that GET_VALUES asked for; the reply is due at get_values_end
  get_values_end,
  unknown_type,  // record_type: a management record of a type that we do not know (section 4.2)
  error          // reason: the stream cannot be followed any further; close the connection
};

// What next() found. Views point into the input given to next() or into the decoder, and are valid
// until the next call of any member function of the decoder.
struct Event {
  EventType type = EventType::need_more;
  std::uint16_t request_id = 0;
  Role role = Role::responder;
  bool keep_connection = false;
  std::string_view name;
  std::string_view value;
  std::string_view bytes;
  EndStatus end_status = EndStatus::request_complete;
  std::uint8_t record_type = 0;
  int http_status = 0;
  std::string_view reason;
};

class Decoder {
 public:
  explicit Decoder(const Limits& limits) : limits_(limits) {}

  // For requests that begin from now on.
  void set_limits(const Limits& limits) { limits_ = limits; }

  // Consumes from the front of `input` and returns one event. Any cut of the input into calls gives
  // the same events (body and data slices may be cut differently). After `need_more` the input is
  // empty; after `error` every further call returns the same error.
  Event next(std::string_view& input);

  // FCGI_END_REQUEST for this id was sent (or its FCGI_BEGIN_REQUEST is to be forgotten): the id is
  // inactive, and whatever still comes for it is swallowed (section 3.3, "Managing request IDs").
  void end(std::uint16_t request_id);

  // Live requests: begun and not yet ended.
  std::size_t live() const;

  // Bytes held for assembling; stays within Limits.params per live request plus one record header
  // and, while a GET_VALUES is coming in, its content of at most 64 KiB.
  std::size_t buffered() const;

 private:
  // What the next bytes of the input are.
  enum class State : std::uint8_t {
    header,
    begin_body,
    params,
    get_values,
    slice,       // content of STDIN or DATA
    stream_end,  // no byte: a stream record without content is to be reported
    skip,        // padding, and content that nobody wants
    failed
  };

  struct Request {
    std::uint16_t id;
    bool params_open;  // these streams have not ended yet
    bool stdin_open;
    bool data_open;
    PairReader pairs;
  };

  // The steps of the machine return true when `event` is to be returned to the caller; left as it
  // is, it says need_more.
  bool step(std::string_view& input, Event& event);
  bool read_header(std::string_view& input, Event& event);
  bool start_management_record(Event& event);
  bool start_begin(Event& event);
  bool start_request_record(Event& event);
  bool start_stream(bool open, State content, Event& event);
  bool read_begin(std::string_view& input, Event& event);
  bool read_params(std::string_view& input, Event& event);
  bool read_get_values(std::string_view& input, Event& event);
  bool read_slice(std::string_view& input, Event& event);
  bool end_stream(Event& event);
  bool skip(std::string_view& input);

  bool fail(Event& event, std::string_view reason);
  void reject(Event& event, int http_status, std::string_view reason);
  void skip_rest();
  Request* find(std::uint16_t request_id);
  const char* take_fixed(std::string_view& input);
  PairReader::Result take_pair(PairReader& pairs, std::string_view& input, Pair& pair);

  Limits limits_;
  State state_ = State::header;

  // The record that is being read.
  std::uint8_t type_ = 0;
  std::uint8_t padding_ = 0;
  std::uint16_t id_ = 0;
  std::size_t left_ = 0;        // bytes of its content (of content and padding in skip) to come
  Request* current_ = nullptr;  // in params, slice and stream_end: its request

  // A header or a BEGIN_REQUEST body, both of 8 bytes, that a border of the input cut.
  std::array<char, 8> fixed_{};
  std::size_t fixed_bytes_ = 0;

  // Not sorted: mostly there is one, and the search is one for each record.
  std::vector<Request> requests_;
  PairReader values_{0};
  std::string_view failure_;
  std::string rejected_name_;
};

}  // namespace fcgi
