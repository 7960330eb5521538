// Encodes the FastCGI 1.0 records that an application sends. Pure functions that append to a
// string.
#pragma once

#include "fcgi/decoder.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fcgi {

inline constexpr std::size_t kHeaderBytes = 8;
// The largest content that keeps records aligned to 8 bytes without padding.
inline constexpr std::size_t kMaxContent = 65528;

// Appends `bytes` as one or more STDOUT records; nothing at all when `bytes` is empty, since an
// empty record would end the stream. Content that is not a multiple of 8 is padded.
void append_stdout(std::string& out, std::uint16_t request_id, std::string_view bytes);
void append_stderr(std::string& out, std::uint16_t request_id, std::string_view bytes);

// Ends STDOUT and the request: an empty STDOUT record (section 6.2) and END_REQUEST.
void append_end(std::string& out, std::uint16_t request_id, std::uint32_t app_status = 0);

// END_REQUEST alone, for a request that was never begun (unknown role, overloaded).
void append_end_request(std::string& out, std::uint16_t request_id, std::uint32_t app_status,
                        EndStatus status);

// The header of a STDOUT record whose content (at most kMaxContent bytes) and `padding` the caller
// sends itself, for sendfile.
std::array<char, kHeaderBytes> stdout_header(std::uint16_t request_id, std::size_t content,
                                             std::size_t& padding);

void append_unknown_type(std::string& out, std::uint8_t record_type);

// The mark of a response that is cut: an UNKNOWN_TYPE record without content, behind which the
// connection closes. Without FCGI_KEEP_CONN nginx takes a bare close for the regular end of a
// response; it refuses this record in every mode. lighttpd, Caddy, Apache and HAProxy ignore it,
// and see the missing END_REQUEST.
void append_cut(std::string& out);

// Collects the answers to one GET_VALUES (section 4.1) and appends them as one record.
class GetValuesResult {
 public:
  void add(std::string_view name, std::string_view value);
  void append_to(std::string& out) const;

 private:
  std::string pairs_;
};

}  // namespace fcgi
