// A FastCGI record (section 3.3):
//
//     0         1      2     3      4     5      6         7          8            8+length
//     +---------+------+-----+------+-----+------+---------+----------+------------+---------+
//     | version | type | request id | length     | padding | reserved | content .. | padding |
//     |         |      |            |            | length  |          |            |  ..     |
//     +---------+------+-----+------+-----+------+---------+----------+------------+---------+
//
// Each step of the machine consumes what it can of the record's next part. Whatever the input is
// cut into, a step decides on complete parts only, so that the events are the same.
#include "fcgi/decoder.h"

#include <fastcgi.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace fcgi {
namespace {

static_assert(static_cast<int>(Role::responder) == FCGI_RESPONDER);
static_assert(static_cast<int>(Role::authorizer) == FCGI_AUTHORIZER);
static_assert(static_cast<int>(Role::filter) == FCGI_FILTER);
static_assert(sizeof(FCGI_Header) == FCGI_HEADER_LEN);
static_assert(sizeof(FCGI_BeginRequestBody) == FCGI_HEADER_LEN, "take_fixed() serves both");

constexpr std::size_t kMostOfRejectedName = 64;

std::uint16_t big_endian(unsigned char high, unsigned char low) {
  return static_cast<std::uint16_t>(high << 8 | low);
}

// Name and value of a decoded pair lie side by side.
bool has_nul(const Pair& pair) {
  const std::string_view both(pair.name.data(), pair.name.size() + pair.value.size());
  return both.find('\0') != std::string_view::npos;
}

}  // namespace

Event Decoder::next(std::string_view& input) {
  Event event;
  while (!step(input, event)) {
  }
  return event;
}

bool Decoder::step(std::string_view& input, Event& event) {
  switch (state_) {
    case State::header:
      return read_header(input, event);
    case State::begin_body:
      return read_begin(input, event);
    case State::params:
      return read_params(input, event);
    case State::get_values:
      return read_get_values(input, event);
    case State::slice:
      return read_slice(input, event);
    case State::stream_end:
      return end_stream(event);
    case State::skip:
      return skip(input);
    case State::failed:
      break;
  }
  input = {};
  return fail(event, failure_);
}

bool Decoder::read_header(std::string_view& input, Event& event) {
  const char* bytes = take_fixed(input);
  if (bytes == nullptr) return true;
  FCGI_Header header;
  std::memcpy(&header, bytes, sizeof header);
  if (header.version != FCGI_VERSION_1) return fail(event, "the version of a record is not 1");
  type_ = header.type;
  padding_ = header.paddingLength;
  id_ = big_endian(header.requestIdB1, header.requestIdB0);
  left_ = big_endian(header.contentLengthB1, header.contentLengthB0);
  if (id_ == FCGI_NULL_REQUEST_ID) return start_management_record(event);
  if (type_ == FCGI_BEGIN_REQUEST) return start_begin(event);
  return start_request_record(event);
}

bool Decoder::start_management_record(Event& event) {
  if (type_ == FCGI_BEGIN_REQUEST) return fail(event, "BEGIN_REQUEST with request id 0");
  if (type_ == FCGI_GET_VALUES) {
    state_ = State::get_values;
    values_ = PairReader(left_);
    return false;
  }
  skip_rest();
  // The known types are nothing to answer: records of a request without an id are ignored as those
  // of an inactive one are, and an answer to UNKNOWN_TYPE could go to and fro for ever.
  if (type_ >= FCGI_BEGIN_REQUEST && type_ <= FCGI_MAXTYPE) return false;
  event.type = EventType::unknown_type;
  event.record_type = type_;
  return true;
}

bool Decoder::start_begin(Event& event) {
  if (left_ != sizeof(FCGI_BeginRequestBody)) {
    return fail(event, "the content of BEGIN_REQUEST is not 8 bytes");
  }
  if (find(id_) != nullptr) return fail(event, "BEGIN_REQUEST for a request that is active");
  state_ = State::begin_body;
  return false;
}

bool Decoder::start_request_record(Event& event) {
  current_ = find(id_);
  if (current_ != nullptr) {
    switch (type_) {
      case FCGI_ABORT_REQUEST:
        skip_rest();
        event.type = EventType::abort;
        event.request_id = id_;
        return true;
      case FCGI_PARAMS:
        return start_stream(current_->params_open, State::params, event);
      case FCGI_STDIN:
        return start_stream(current_->stdin_open, State::slice, event);
      case FCGI_DATA:
        return start_stream(current_->data_open, State::slice, event);
      default:
        break;
    }
  }
  skip_rest();
  return false;
}

bool Decoder::start_stream(bool open, State content, Event& event) {
  if (!open) {
    skip_rest();
    return false;
  }
  state_ = left_ == 0 ? State::stream_end : content;
  if (type_ == FCGI_PARAMS || !current_->params_open) return false;
  reject(event, 400,
         type_ == FCGI_STDIN ? "STDIN before the end of PARAMS" : "DATA before the end of PARAMS");
  return true;
}

bool Decoder::read_begin(std::string_view& input, Event& event) {
  const char* bytes = take_fixed(input);
  if (bytes == nullptr) return true;
  FCGI_BeginRequestBody body;
  std::memcpy(&body, bytes, sizeof body);
  left_ = 0;
  skip_rest();
  event.request_id = id_;
  event.role = Role{big_endian(body.roleB1, body.roleB0)};
  event.keep_connection = (body.flags & FCGI_KEEP_CONN) != 0;
  if (event.role < Role::responder || event.role > Role::filter) {
    event.type = EventType::refuse;
    event.end_status = EndStatus::unknown_role;
  } else if (requests_.size() >= limits_.requests) {
    event.type = EventType::refuse;
    event.end_status = EndStatus::overloaded;
  } else {
    event.type = EventType::begin;
    requests_.push_back({id_, true, true, event.role == Role::filter, PairReader(limits_.params)});
  }
  return true;
}

bool Decoder::read_params(std::string_view& input, Event& event) {
  if (left_ == 0) {
    skip_rest();
    return false;
  }
  if (input.empty()) return true;
  Pair pair;
  const PairReader::Result result = take_pair(current_->pairs, input, pair);
  if (result == PairReader::Result::need_more) return false;
  if (result == PairReader::Result::too_long) {
    reject(event, 431, "PARAMS are over the limit");
  } else if (pair.name.empty()) {
    reject(event, 400, "a variable without a name");
  } else if (has_nul(pair)) {
    rejected_name_ = pair.name.substr(0, kMostOfRejectedName);
    reject(event, 400, "a NUL byte in a variable");
    event.name = rejected_name_;
  } else {
    event.type = EventType::param;
    event.request_id = id_;
    event.name = pair.name;
    event.value = pair.value;
    return true;
  }
  skip_rest();
  return true;
}

bool Decoder::read_get_values(std::string_view& input, Event& event) {
  if (left_ == 0) {
    values_.release();
    skip_rest();
    event.type = EventType::get_values_end;
    return true;
  }
  if (input.empty()) return true;
  Pair pair;
  const PairReader::Result result = take_pair(values_, input, pair);
  if (result == PairReader::Result::need_more) return false;
  if (result == PairReader::Result::too_long) return fail(event, "GET_VALUES ends inside a pair");
  event.type = EventType::get_values;
  event.name = pair.name;
  return true;
}

bool Decoder::read_slice(std::string_view& input, Event& event) {
  if (left_ == 0) {
    skip_rest();
    return false;
  }
  if (input.empty()) return true;
  event.type = type_ == FCGI_STDIN ? EventType::body : EventType::data;
  event.request_id = id_;
  event.bytes = input.substr(0, left_);
  input.remove_prefix(event.bytes.size());
  left_ -= event.bytes.size();
  return true;
}

bool Decoder::end_stream(Event& event) {
  event.request_id = id_;
  skip_rest();
  if (type_ == FCGI_PARAMS) {
    if (current_->pairs.pending()) {
      reject(event, 400, "PARAMS end inside a name-value pair");
      return true;
    }
    event.type = EventType::params_end;
    current_->params_open = false;
    current_->pairs.release();
  } else if (type_ == FCGI_STDIN) {
    event.type = EventType::body_end;
    current_->stdin_open = false;
  } else {
    event.type = EventType::data_end;
    current_->data_open = false;
  }
  return true;
}

bool Decoder::skip(std::string_view& input) {
  const std::size_t piece = std::min(left_, input.size());
  input.remove_prefix(piece);
  left_ -= piece;
  if (left_ != 0) return true;
  state_ = State::header;
  return false;
}

void Decoder::end(std::uint16_t request_id) {
  Request* const request = find(request_id);
  if (request == nullptr) return;
  if (request != &requests_.back()) *request = std::move(requests_.back());
  requests_.pop_back();
  // One place is kept, so that a connection with one request after the other allocates once.
  if (requests_.empty() && requests_.capacity() > 1) std::vector<Request>().swap(requests_);

  if (state_ != State::params && state_ != State::slice && state_ != State::stream_end) return;
  current_ = find(id_);
  if (current_ == nullptr) skip_rest();
}

std::size_t Decoder::live() const {
  return requests_.size();
}

std::size_t Decoder::buffered() const {
  std::size_t sum = fixed_bytes_ + values_.buffered();
  for (const Request& request : requests_) sum += request.pairs.buffered();
  return sum;
}

bool Decoder::fail(Event& event, std::string_view reason) {
  state_ = State::failed;
  failure_ = reason;
  event.type = EventType::error;
  event.reason = reason;
  return true;
}

// The PARAMS of the current request are of no use: what still comes of them is ignored.
void Decoder::reject(Event& event, int http_status, std::string_view reason) {
  current_->params_open = false;
  current_->pairs.release();
  event.type = EventType::bad_request;
  event.request_id = id_;
  event.http_status = http_status;
  event.reason = reason;
}

// Nothing in the rest of this record is wanted.
void Decoder::skip_rest() {
  left_ += padding_;
  state_ = left_ == 0 ? State::header : State::skip;
}

Decoder::Request* Decoder::find(std::uint16_t request_id) {
  for (Request& request : requests_) {
    if (request.id == request_id) return &request;
  }
  return nullptr;
}

// Takes the 8 bytes of a header or a BEGIN_REQUEST body, in place when they lie whole in the input.
// nullptr: the input is used up. The bytes are valid until the next call.
const char* Decoder::take_fixed(std::string_view& input) {
  if (fixed_bytes_ == 0 && input.size() >= fixed_.size()) {
    const char* const bytes = input.data();
    input.remove_prefix(fixed_.size());
    return bytes;
  }
  const std::size_t piece = input.copy(fixed_.data() + fixed_bytes_, fixed_.size() - fixed_bytes_);
  input.remove_prefix(piece);
  fixed_bytes_ += piece;
  if (fixed_bytes_ < fixed_.size()) return nullptr;
  fixed_bytes_ = 0;
  return fixed_.data();
}

// Lets `pairs` see no more of the input than the content of this record.
PairReader::Result Decoder::take_pair(PairReader& pairs, std::string_view& input, Pair& pair) {
  std::string_view content = input.substr(0, left_);
  const std::size_t before = content.size();
  const PairReader::Result result = pairs.next(content, pair);
  const std::size_t taken = before - content.size();
  input.remove_prefix(taken);
  left_ -= taken;
  return result;
}

}  // namespace fcgi
