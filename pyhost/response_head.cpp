#include "pyhost/response_head.h"

#include "pyhost/py_ref.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <string_view>

namespace pyhost {
namespace {

constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> result{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    result[static_cast<unsigned char>(c)] = true;
  }
  return result;
}();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return kTokenBytes[static_cast<unsigned char>(c)];
  });
}

// Besides a tab, which RFC 9110 section 5.5 allows in a value.
constexpr std::array<bool, 256> kControlBytes = [] {
  std::array<bool, 256> result{};
  for (unsigned c = 0; c < 0x20; ++c) result[c] = c != '\t';
  result[0x7F] = true;
  return result;
}();

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return kControlBytes[static_cast<unsigned char>(c)]; });
}

// `lower` is in lower case already.
bool equals_ignoring_case(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() &&
         std::equal(name.begin(), name.end(), lower.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

// The object's own bytes when it is a str of latin-1 characters; a view without data otherwise.
std::string_view latin1(PyObject* text) {
  if (!PyUnicode_Check(text) || PyUnicode_READY(text) < 0) return {};
  if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) return {};
  return {reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(text)),
          static_cast<std::size_t>(PyUnicode_GET_LENGTH(text))};
}

bool refuse(const char* what, PyObject* object) {
  PyErr_Format(PyExc_AssertionError, "start_response: %s, not %R", what, object);
  return false;
}

}  // namespace

void ResponseHead::clear() {
  lines_.clear();
  status_.clear();
  content_length_.reset();
}

void ResponseHead::swap(ResponseHead& other) noexcept {
  lines_.swap(other.lines_);
  status_.swap(other.status_);
  content_length_.swap(other.content_length_);
}

bool ResponseHead::set(PyObject* status, PyObject* headers) {
  clear();
  if (add_headers(headers) && set_status(status) && make_room()) return true;
  clear();
  return false;
}

bool ResponseHead::set_status(PyObject* status) {
  const std::string_view text = latin1(status);
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  const bool number = text.size() >= 3 && digit(0) && text[0] != '0' && digit(1) && digit(2);
  if (!number || (text.size() > 3 && text[3] != ' ') || has_control(text)) {
    return refuse("the status must be a str like \"200 OK\"", status);
  }
  if (status_.append(text)) return true;
  PyErr_NoMemory();
  return false;
}

// For the lines that come later, where nobody could be told that there is no memory.
bool ResponseHead::make_room() {
  constexpr std::size_t kLaterLines =
      std::string_view("Content-Length: \r\nStatus: \r\n\r\n").size();
  constexpr std::size_t kDigits = 20;
  const std::size_t size = lines_.view().size() + status_.view().size() + kLaterLines + kDigits;
  if (lines_.reserve(size)) return true;
  PyErr_NoMemory();
  return false;
}

bool ResponseHead::add_headers(PyObject* headers) {
  if (!PyList_Check(headers)) return refuse("the headers must be a list", headers);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); ++i) {
    const auto header = PyRef::steal(py::list_item(headers, i));
    if (!header || !add_header(header.get())) return false;
  }
  return true;
}

bool ResponseHead::add_header(PyObject* header) {
  if (!PyTuple_Check(header) || PyTuple_GET_SIZE(header) != 2) {
    return refuse("a header must be a tuple (name, value)", header);
  }
  const std::string_view name = latin1(PyTuple_GET_ITEM(header, 0));
  const std::string_view value = latin1(PyTuple_GET_ITEM(header, 1));
  if (!is_token(name)) return refuse("a header's name must be a str and a token", header);
  if (value.data() == nullptr || has_control(value)) {
    return refuse("a header's value must be a latin-1 str without control characters", header);
  }
  // The status has a place of its own. Hop-by-hop headers are dropped by the gateway.
  if (equals_ignoring_case(name, "status")) {
    return refuse("\"Status\" is the server's header, an application must not set it", header);
  }
  if (equals_ignoring_case(name, "content-length") && !take_content_length(value)) {
    return refuse("there must be one Content-Length, and a number", header);
  }
  if (add_line(name, value)) return true;
  PyErr_NoMemory();
  return false;
}

bool ResponseHead::take_content_length(std::string_view value) {
  std::uint64_t length = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, length);
  if (content_length_ || error != std::errc{} || stop != end) return false;
  content_length_ = length;
  return true;
}

void ResponseHead::offer_content_length(std::uint64_t length) {
  if (content_length_ || !body_allowed()) return;
  content_length_ = length;
  std::array<char, 20> digits;
  const char* const end = std::to_chars(digits.begin(), digits.end(), length).ptr;
  const std::string_view value(digits.data(), static_cast<std::size_t>(end - digits.data()));
  [[maybe_unused]] const bool fits = add_line("Content-Length", value);
  assert(fits);
}

// 1xx, 204 and 304 have no body.
bool ResponseHead::body_allowed() const {
  const std::string_view status = status_.view();
  return status[0] != '1' && !status.starts_with("204") && !status.starts_with("304");
}

bool ResponseHead::add_line(std::string_view name, std::string_view value) {
  return lines_.append(name) && lines_.append(": ") && lines_.append(value) &&
         lines_.append("\r\n");
}

std::string_view ResponseHead::render() {
  const bool fits = add_line("Status", status_.view()) && lines_.append("\r\n");
  assert(fits);
  return fits ? lines_.view() : std::string_view();
}

}  // namespace pyhost
