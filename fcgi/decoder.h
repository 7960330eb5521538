// Decodes the byte stream that a web server sends on one FastCGI 1.0 connection into events.
// Pure: no sockets, no clock, no log, no exceptions besides bad_alloc. One decoder per connection,
// used by one thread. daemon/gateway/fcgi_connection.cpp is its only caller outside the tests.
#pragma once

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
  std::size_t params = 256 * 1024;  // bytes of the PARAMS stream of one request
  std::size_t requests = 256;       // live requests on one connection
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
  bad_request,  // request_id, http_status (400 or 431), reason: the PARAMS of this request are
                // unusable. No param or params_end follows for it; body, body_end and abort do
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

  // Consumes from the front of `input` and returns one event. Any cut of the input into calls gives
  // the same events (body and data slices may be cut differently). After `need_more` the input is
  // empty; after `error` every further call returns the same error.
  Event next(std::string_view& input);

  // FCGI_END_REQUEST for this id was sent (or its FCGI_BEGIN_REQUEST is to be forgotten): the id is
  // inactive, and whatever still comes for it is swallowed (section 3.3, "Managing request IDs").
  void end(std::uint16_t request_id);

  // Live requests: begun and not yet ended.
  std::size_t live() const;

  // Bytes held for assembling; stays within Limits.params per live request plus one record header.
  std::size_t buffered() const;

  // (private part is the implementer's)
 private:
  Limits limits_;
};

}  // namespace fcgi
