// The two ends of one exchange as a front server sees them: the bytes of a request like nginx's,
// and a reader of the answer. Pure; it shares no code with fcgi/ and scgi/, so that a mistake there
// cannot hide here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

enum class Protocol { fastcgi, scgi };

struct RequestShape {
  Protocol protocol = Protocol::fastcgi;
  bool keep = false;  // FCGI_KEEP_CONN
  std::string path = "/";
  std::size_t body_bytes = 0;  // more than none makes it a POST
};

// Every byte of the request, ready to be sent again and again.
std::string encode_request(const RequestShape& shape);

// Reads one answer at a time.
class AnswerReader {
 public:
  enum class State { more, done, failed };

  explicit AnswerReader(Protocol protocol) : protocol_(protocol) {}

  // Makes ready for the next answer.
  void reset() { *this = AnswerReader(protocol_); }

  // Takes what was received. After `done` or `failed` only reset() may follow.
  State feed(std::string_view bytes);
  State end_of_stream() const;

  int status() const { return status_; }
  std::uint64_t body_bytes() const { return body_bytes_; }

 private:
  static constexpr std::size_t kHeaderBytes = 8;
  static constexpr std::size_t kMaxHead = 64 * 1024;

  State feed_records(std::string_view bytes);
  bool take_header(std::string_view& bytes);
  bool take_content(std::string_view& bytes);
  bool take_output(std::string_view bytes);
  bool parse_head(std::string_view head);
  bool parse_field(std::string_view line);
  bool body_is_complete() const { return content_length_ && body_bytes_ >= *content_length_; }

  Protocol protocol_;
  std::array<unsigned char, kHeaderBytes> header_{};
  std::size_t header_have_ = 0;
  std::size_t content_left_ = 0;
  std::size_t padding_left_ = 0;
  std::string head_;
  bool head_done_ = false;
  int status_ = 200;
  std::optional<std::uint64_t> content_length_;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace bench
