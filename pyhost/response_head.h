// What start_response was given, checked and made into the lines of a CGI response head.
#pragma once

#include "pyhost/buffer.h"
#include "pyhost/internal/py.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace pyhost {

// One object serves a thread's requests one after the other and keeps its memory.
class ResponseHead {
 public:
  void clear();
  void swap(ResponseHead& other) noexcept;

  // False, with AssertionError set and nothing kept, when status or headers break PEP 3333's rules:
  // status is a str "NNN reason" or "NNN"; headers a list of (name, value) tuples of str; names are
  // tokens; everything is latin-1 without control characters other than tabs. What PEP 3333 says
  // of hop-by-hop headers is the gateway's affair: it drops them.
  bool set(PyObject* status, PyObject* headers);
  bool is_set() const { return !status_.view().empty(); }

  std::optional<std::uint64_t> content_length() const { return content_length_; }
  // Adds one, if the application gave none and the status allows a body.
  void offer_content_length(std::uint64_t length);

  // All header lines, then "Status:" as the last one (HAProxy before the fix of its #2865 makes a
  // 302 of a 301 whose Location comes after it), then the empty line. Valid until the next call.
  std::string_view render();

 private:
  bool set_status(PyObject* status);
  bool add_headers(PyObject* headers);
  bool add_header(PyObject* header);
  bool take_content_length(std::string_view value);
  bool body_allowed() const;
  bool add_line(std::string_view name, std::string_view value);
  bool make_room();

  Buffer lines_;
  Buffer status_;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace pyhost
