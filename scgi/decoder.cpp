// An SCGI request:
//
//     "70:" "CONTENT_LENGTH" NUL "27" NUL "SCGI" NUL "1" NUL ... "," body
//
// Whatever the input is cut into, a step of the machine decides on single bytes or on complete
// variables only, so that the events are the same.
#include "scgi/decoder.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace scgi {
namespace {

constexpr std::uint64_t kMaxContentLength = std::uint64_t{1} << 63;

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
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
    case State::length:
      return read_length(input, event);
    case State::variables:
      return read_variable(input, event);
    case State::comma:
      return read_comma(input, event);
    case State::body:
      return read_body(input, event);
    case State::surplus:
      if (!input.empty()) event.type = EventType::surplus;
      event.bytes = input;
      input = {};
      return true;
    case State::failed:
      break;
  }
  input = {};
  return fail(event, failed_status_, failure_);
}

bool Decoder::read_length(std::string_view& input, Event& event) {
  if (input.empty()) return true;
  const char byte = input.front();
  input.remove_prefix(1);
  if (byte == ':' && length_begun_) {
    state_ = State::variables;
    return false;
  }
  if (!is_digit(byte)) return fail(event, 400, "the request does not begin with a netstring");
  if (length_begun_ && left_ == 0) return fail(event, 400, "a netstring length with leading zeros");
  const auto digit = static_cast<std::uint64_t>(byte - '0');
  // As limit >= left_ * 10 + digit, but without overflow.
  const bool fits = digit <= limits_.params && left_ <= (limits_.params - digit) / 10;
  if (!fits) return fail(event, 431, "the netstring is over the limit");
  left_ = left_ * 10 + digit;
  length_begun_ = true;
  return false;
}

bool Decoder::read_variable(std::string_view& input, Event& event) {
  if (delivered_) {
    cut_.clear();
    delivered_ = false;
  }
  if (left_ == 0) {
    if (!cut_.empty()) return fail(event, 400, "the netstring ends inside a variable");
    std::string().swap(cut_);  // Gives the memory back, which an assignment would keep.
    state_ = State::comma;
    return false;
  }
  if (input.empty()) return true;

  const std::string_view content = input.substr(0, static_cast<std::size_t>(left_));
  const std::size_t size = variable_size(content);
  const std::string_view piece = content.substr(0, size);
  input.remove_prefix(piece.size());
  left_ -= piece.size();
  if (size != std::string_view::npos && cut_.empty()) return accept(piece, event);
  cut_.append(piece);
  if (size == std::string_view::npos) return false;
  delivered_ = true;
  return accept(cut_, event);
}

// The bytes at the front of `content` up to the end of the variable that cut_ begins; npos when its
// end is not among them. Bytes that went to cut_ are not searched again.
std::size_t Decoder::variable_size(std::string_view content) {
  std::size_t value_at = 0;
  if (!name_ended_) {
    const std::size_t name_end = content.find('\0');
    if (name_end == std::string_view::npos) return name_end;
    name_ended_ = true;
    name_size_ = cut_.size() + name_end;
    value_at = name_end + 1;
  }
  const std::size_t value_end = content.find('\0', value_at);
  return value_end == std::string_view::npos ? value_end : value_end + 1;
}

// `variable` is a name and a value, each with its NUL.
bool Decoder::accept(std::string_view variable, Event& event) {
  name_ended_ = false;
  event.name = variable.substr(0, name_size_);
  event.value = variable.substr(name_size_ + 1, variable.size() - name_size_ - 2);
  if (event.name.empty()) return fail(event, 400, "a variable without a name");
  if (event.name == "CONTENT_LENGTH" && !set_content_length(event.value)) {
    return fail(event, 400, "CONTENT_LENGTH is not one number");
  }
  if (event.name == "SCGI" && event.value == "1") marked_ = true;
  event.type = EventType::param;
  return true;
}

// False when it is no number, too large a one, or not the one that came before.
bool Decoder::set_content_length(std::string_view digits) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end || value > kMaxContentLength) return false;
  if (has_content_length_ && value != content_length_) return false;
  has_content_length_ = true;
  content_length_ = value;
  return true;
}

bool Decoder::read_comma(std::string_view& input, Event& event) {
  if (input.empty()) return true;
  if (input.front() != ',') return fail(event, 400, "no comma after the netstring");
  if (!has_content_length_) return fail(event, 400, "no CONTENT_LENGTH");
  input.remove_prefix(1);
  left_ = content_length_;
  state_ = State::body;
  event.type = EventType::params_end;
  return true;
}

bool Decoder::read_body(std::string_view& input, Event& event) {
  if (left_ == 0) {
    state_ = State::surplus;
    event.type = EventType::body_end;
    return true;
  }
  if (input.empty()) return true;
  const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
  event.type = EventType::body;
  event.bytes = input.substr(0, piece);
  input.remove_prefix(piece);
  left_ -= piece;
  return true;
}

bool Decoder::fail(Event& event, int http_status, std::string_view reason) {
  state_ = State::failed;
  failed_status_ = http_status;
  failure_ = reason;
  event = {};
  event.type = EventType::error;
  event.http_status = http_status;
  event.reason = reason;
  return true;
}

}  // namespace scgi
