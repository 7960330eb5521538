// The bytes of a request and the reader of its answer; see wire.h.
#include "tests/bench/wire.h"

#include <algorithm>
#include <charconv>
#include <strings.h>
#include <utility>
#include <vector>

namespace bench {
namespace {

constexpr unsigned char kBeginRequest = 1;
constexpr unsigned char kEndRequest = 3;
constexpr unsigned char kParams = 4;
constexpr unsigned char kStdin = 5;
constexpr unsigned char kStdout = 6;
constexpr std::size_t kMaxContent = 65528;

using Variables = std::vector<std::pair<std::string_view, std::string>>;

// What nginx 1.22 sends with `include fastcgi_params`, and PATH_INFO with an empty SCRIPT_NAME,
// which uWSGI needs besides; the same variables go to every server that is compared.
Variables cgi_variables(const RequestShape& shape) {
  const bool post = shape.body_bytes > 0;
  return {
      {"CONTENT_LENGTH",
       post || shape.protocol == Protocol::scgi ? std::to_string(shape.body_bytes) : std::string()},
      {"SCGI", "1"},
      {"QUERY_STRING", ""},
      {"REQUEST_METHOD", post ? "POST" : "GET"},
      {"CONTENT_TYPE", post ? "application/octet-stream" : ""},
      {"SCRIPT_NAME", ""},
      {"PATH_INFO", shape.path},
      {"REQUEST_URI", shape.path},
      {"DOCUMENT_URI", shape.path},
      {"DOCUMENT_ROOT", "/usr/share/nginx/html"},
      {"SERVER_PROTOCOL", "HTTP/1.1"},
      {"REQUEST_SCHEME", "http"},
      {"GATEWAY_INTERFACE", "CGI/1.1"},
      {"SERVER_SOFTWARE", "nginx/1.22.1"},
      {"REMOTE_ADDR", "127.0.0.1"},
      {"REMOTE_PORT", "40404"},
      {"SERVER_ADDR", "127.0.0.1"},
      {"SERVER_PORT", "80"},
      {"SERVER_NAME", "localhost"},
      {"REDIRECT_STATUS", "200"},
      {"HTTP_HOST", "localhost"},
      {"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"},
      {"HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
      {"HTTP_ACCEPT_LANGUAGE", "en-US,en;q=0.5"},
      {"HTTP_ACCEPT_ENCODING", "gzip, deflate"}};
}

void append_record(std::string& out, unsigned char type, std::string_view content) {
  const std::size_t padding = (8 - content.size() % 8) % 8;
  const auto high = static_cast<char>(content.size() >> 8);
  const auto low = static_cast<char>(content.size() & 0xff);
  out.append({1, static_cast<char>(type), 0, 1, high, low, static_cast<char>(padding), 0});
  out.append(content);
  out.append(padding, '\0');
}

void append_stream(std::string& out, unsigned char type, std::string_view content) {
  for (; !content.empty(); content.remove_prefix(std::min(content.size(), kMaxContent))) {
    append_record(out, type, content.substr(0, kMaxContent));
  }
  append_record(out, type, {});
}

void append_length(std::string& out, std::size_t length) {
  if (length < 128) {
    out.push_back(static_cast<char>(length));
    return;
  }
  const auto wide = static_cast<std::uint32_t>(length) | 0x80000000U;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(wide >> shift));
}

std::string encode_fastcgi(const RequestShape& shape) {
  std::string params;
  for (const auto& [name, value] : cgi_variables(shape)) {
    if (name == "SCGI") continue;
    append_length(params, name.size());
    append_length(params, value.size());
    params.append(name).append(value);
  }
  const char keep = shape.keep ? 1 : 0;
  const std::array<char, 8> responder{0, 1, keep, 0, 0, 0, 0, 0};
  std::string out;
  append_record(out, kBeginRequest, {responder.data(), responder.size()});
  append_stream(out, kParams, params);
  append_stream(out, kStdin, std::string(shape.body_bytes, 'x'));
  return out;
}

std::string encode_scgi(const RequestShape& shape) {
  std::string headers;
  for (const auto& [name, value] : cgi_variables(shape)) {
    headers.append(name).push_back('\0');
    headers.append(value).push_back('\0');
  }
  return std::to_string(headers.size()) + ":" + headers + "," + std::string(shape.body_bytes, 'x');
}

bool starts_with_nocase(std::string_view line, std::string_view prefix) {
  return line.size() >= prefix.size() &&
         strncasecmp(line.data(), prefix.data(), prefix.size()) == 0;
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

}  // namespace

std::string encode_request(const RequestShape& shape) {
  return shape.protocol == Protocol::fastcgi ? encode_fastcgi(shape) : encode_scgi(shape);
}

AnswerReader::State AnswerReader::feed(std::string_view bytes) {
  if (protocol_ == Protocol::fastcgi) return feed_records(bytes);
  if (!take_output(bytes)) return State::failed;
  // nginx, too, is content with Content-Length and does not wait for the server to close.
  return body_is_complete() ? State::done : State::more;
}

AnswerReader::State AnswerReader::end_of_stream() const {
  const bool whole = head_done_ && (!content_length_ || body_bytes_ == *content_length_);
  return protocol_ == Protocol::scgi && whole ? State::done : State::failed;
}

AnswerReader::State AnswerReader::feed_records(std::string_view bytes) {
  while (!bytes.empty()) {
    if (header_have_ < kHeaderBytes && !take_header(bytes)) return State::more;
    if (!take_content(bytes)) return State::failed;
    if (content_left_ + padding_left_ > 0) continue;
    if (header_[1] == kEndRequest) return head_done_ ? State::done : State::failed;
    header_have_ = 0;
  }
  return State::more;
}

bool AnswerReader::take_header(std::string_view& bytes) {
  const std::size_t taken = std::min(bytes.size(), kHeaderBytes - header_have_);
  std::copy_n(bytes.begin(), taken, header_.begin() + static_cast<std::ptrdiff_t>(header_have_));
  header_have_ += taken;
  bytes.remove_prefix(taken);
  if (header_have_ < kHeaderBytes) return false;
  content_left_ = static_cast<std::size_t>(header_[4] << 8 | header_[5]);
  padding_left_ = header_[6];
  return true;
}

bool AnswerReader::take_content(std::string_view& bytes) {
  const std::string_view content = bytes.substr(0, content_left_);
  bytes.remove_prefix(content.size());
  content_left_ -= content.size();
  const std::size_t padding = std::min(bytes.size(), padding_left_);
  bytes.remove_prefix(padding);
  padding_left_ -= padding;
  return header_[1] != kStdout || take_output(content);
}

bool AnswerReader::take_output(std::string_view bytes) {
  if (head_done_) {
    body_bytes_ += bytes.size();
    return true;
  }
  head_.append(bytes);
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) return head_.size() < kMaxHead;
  head_done_ = true;
  body_bytes_ = head_.size() - end - 4;
  return parse_head(std::string_view(head_).substr(0, end + 2));
}

bool AnswerReader::parse_head(std::string_view head) {
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    if (!parse_field(head.substr(0, end))) return false;
    head.remove_prefix(end + 2);
  }
  return true;
}

bool AnswerReader::parse_field(std::string_view line) {
  constexpr std::string_view kStatus = "Status:";
  constexpr std::string_view kLength = "Content-Length:";
  if (starts_with_nocase(line, kStatus)) return parse_number(line.substr(kStatus.size()), status_);
  if (!starts_with_nocase(line, kLength)) return true;
  return parse_number(line.substr(kLength.size()), content_length_.emplace());
}

}  // namespace bench
