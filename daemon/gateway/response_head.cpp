// See response_head.h. One pass over the lines, each found with memchr.
#include "daemon/gateway/response_head.h"

#include "daemon/gateway/http_syntax.h"
#include "daemon/gateway/text_arena.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace pycgid {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kShownBytes = 80;
constexpr std::size_t kBareStatus = 3;  // digits

// RFC 9110 section 7.6.1 and PEP 3333; "trailers" is what wsgiref and RFC 2616 13.5.1 call it.
constexpr std::string_view kHopByHop[] = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
    "te",         "trailer",    "trailers",           "transfer-encoding",
    "upgrade"};

// A bit for each length of a name, which tells most others apart.
constexpr std::uint32_t kHopByHopSizes = [] {
  std::uint32_t sizes = 0;
  for (const std::string_view name : kHopByHop) sizes |= std::uint32_t{1} << name.size();
  return sizes;
}();

bool is_hop_by_hop(std::string_view name) {
  if (name.size() >= 32 || (kHopByHopSizes >> name.size() & 1) == 0) return false;
  return std::any_of(std::begin(kHopByHop), std::end(kHopByHop),
                     [name](std::string_view hop) { return equals_ignoring_case(name, hop); });
}

struct Header {
  std::string_view name;
  std::string_view value;
};

// Quoted for a message; a name can be as long as the whole head.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  result += text.substr(0, kShownBytes);
  result += text.size() > kShownBytes ? "...\"" : "\"";
  return result;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// 200 to 999: an interim answer is nothing an application may give.
int parse_status(std::string_view value) {
  if (value.size() < kBareStatus || (value.size() > kBareStatus && value[3] != ' ')) return 0;
  int status = 0;
  for (const char digit : value.substr(0, 3)) {
    if (digit < '0' || digit > '9') return 0;
    status = status * 10 + (digit - '0');
  }
  return status < 200 ? 0 : status;
}

// Takes the first line off `text`, without its end. False when it has none, or holds CR or LF.
bool take_line(std::string_view& text, std::string_view& line) {
  const std::size_t end = text.find('\r');
  if (end == text.npos || end + 1 == text.size() || text[end + 1] != '\n') return false;
  line = text.substr(0, end);
  text.remove_prefix(end + kLineEnd.size());
  return line.find('\n') == line.npos;
}

std::string split_header(std::string_view line, Header& header) {
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return "no colon in header line " + quoted(line);
  header.name = line.substr(0, colon);
  header.value = trimmed(line.substr(colon + 1));
  if (!is_token(header.name)) return "header name " + quoted(header.name) + " is not a token";
  return {};
}

}  // namespace

void ResponseHead::clear() {
  constexpr std::size_t kKeptCapacity = std::size_t{16} * 1024;
  empty_text(text_, kKeptCapacity);
  dropped_.clear();
  status_ = 0;
  rewrite_due_ = false;
  content_length_.reset();
}

bool ResponseHead::append(std::string_view piece) {
  if (piece.size() > kMaxBytes - text_.size()) return false;
  text_.append(piece);
  return true;
}

std::string ResponseHead::check() {
  if (text_.find('\0') != text_.npos) return "NUL in the header";
  status_ = 0;
  rewrite_due_ = false;
  content_length_.reset();
  std::string_view rest = text_;
  std::string_view line;
  while (take_line(rest, line)) {
    if (line.empty()) {
      if (status_ == 0) return "no Status line";
      if (!rest.empty()) return "bytes after the end of the header";
      if (rewrite_due_ || (status_ == 204 && content_length_)) rewrite();
      return {};
    }
    if (status_ != 0) return "header line " + quoted(line) + " after Status";
    if (std::string problem = check_line(line); !problem.empty()) return problem;
  }
  return "a header line does not end in CR LF, or holds CR or LF";
}

std::string ResponseHead::check_line(std::string_view line) {
  Header header;
  if (std::string problem = split_header(line, header); !problem.empty()) return problem;
  if (equals_ignoring_case(header.name, "status")) return check_status(header.value);
  if (is_hop_by_hop(header.name)) {
    dropped_ = header.name.substr(0, kShownBytes);
    rewrite_due_ = true;
    return {};
  }
  if (equals_ignoring_case(header.name, "content-length")) {
    if (content_length_) return "more than one Content-Length";
    content_length_ = parse_content_length(header.value);
    return content_length_ ? std::string()
                           : "Content-Length " + quoted(header.value) + " is no number";
  }
  return {};
}

// Not every front server takes a status without a phrase.
std::string ResponseHead::check_status(std::string_view value) {
  status_ = parse_status(value);
  if (status_ == 0) return "unusable Status " + quoted(value);
  if (value.size() == kBareStatus && !reason_phrase(status_).empty()) rewrite_due_ = true;
  return {};
}

void ResponseHead::rewrite() {
  std::string kept;
  std::string_view rest = text_;
  std::string_view line;
  while (take_line(rest, line) && !line.empty()) {
    Header header;
    split_header(line, header);
    const bool is_length = equals_ignoring_case(header.name, "content-length");
    if (is_hop_by_hop(header.name) || (is_length && status_ == 204)) continue;
    if (rest == kLineEnd && header.value.size() == kBareStatus) {
      // Blanks behind the digits would part them from the phrase.
      kept.append("Status: ").append(header.value).append(" ").append(reason_phrase(status_));
    } else {
      kept.append(line);
    }
    kept.append(kLineEnd);
  }
  if (status_ == 204) content_length_.reset();
  text_ = kept.append(kLineEnd);
}

std::string error_response(int status, unsigned retry_after) {
  std::string text = std::to_string(status);
  if (const std::string_view phrase = reason_phrase(status); !phrase.empty()) {
    text += ' ';
    text += phrase;
  }
  std::string answer = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: ";
  answer += std::to_string(text.size() + 1);
  answer += kLineEnd;
  if (retry_after > 0) {
    answer += "Retry-After: ";
    answer += std::to_string(retry_after);
    answer += kLineEnd;
  }
  answer += "Status: ";
  answer += text;
  answer += "\r\n\r\n";
  answer += text;
  answer += '\n';
  return answer;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return {};
  }
}

}  // namespace pycgid
