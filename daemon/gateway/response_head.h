// The CGI response head (RFC 3875 section 6.3) that a worker hands over: checked, because a worker
// is not trusted, and made ready for the front server. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pycgid {

class ResponseHead {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;

  void clear();
  // Collects a piece. False when the head grows beyond kMaxBytes.
  bool append(std::string_view piece);
  bool empty() const { return text_.empty(); }

  // The head is complete: checks every line ("Name: value\r\n", names are tokens, no CR, LF or NUL
  // in a value, one Content-Length at most and that a number, "Status: NNN text" or "Status: NNN"
  // as the last line, 200 to 999, then the empty line and nothing more). A folded line is refused
  // like any whose name is no token. Returns an empty string, or what is wrong. Then drops what
  // must not reach the front server, hop-by-hop headers (RFC 9110 section 7.6.1) and the
  // Content-Length of a 204 (section 8.6), and completes a status without a phrase.
  std::string check();

  // --- after check() returned "" ---
  // What goes to the front, Status as its last line (haproxy#2865), with the empty line.
  std::string_view text() const { return text_; }
  int status() const { return status_; }
  // The name of a hop-by-hop header that was dropped; empty: there was none.
  const std::string& dropped() const { return dropped_; }
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  // 204 and 304 have no body; check() lets no 1xx pass.
  bool body_allowed() const { return status_ >= 200 && status_ != 204 && status_ != 304; }

 private:
  std::string check_line(std::string_view line);
  std::string check_status(std::string_view value);
  void rewrite();

  std::string text_;
  std::string dropped_;
  int status_ = 0;
  bool rewrite_due_ = false;  // text() is not to go out as it came
  std::optional<std::uint64_t> content_length_;
};

// A whole answer of the gateway's own (400, 413, 431, 500, 502, 503, 504): head and a short
// text/plain body. `retry_after` seconds adds Retry-After when above 0. No Cache-Control: none of
// these may be stored unless an administrator orders it (RFC 9110 section 15.1).
std::string error_response(int status, unsigned retry_after = 0);

// "Not Found" for 404; "" for a code without a phrase.
std::string_view reason_phrase(int status);

}  // namespace pycgid
