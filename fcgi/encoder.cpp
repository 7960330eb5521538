// Records are laid out by libfcgi's structures, all of whose members are single bytes.
#include "fcgi/encoder.h"

#include "fcgi/pairs.h"

#include <fastcgi.h>

#include <bit>

namespace fcgi {
namespace {

static_assert(static_cast<int>(EndStatus::request_complete) == FCGI_REQUEST_COMPLETE);
static_assert(static_cast<int>(EndStatus::cant_mpx_conn) == FCGI_CANT_MPX_CONN);
static_assert(static_cast<int>(EndStatus::overloaded) == FCGI_OVERLOADED);
static_assert(static_cast<int>(EndStatus::unknown_role) == FCGI_UNKNOWN_ROLE);
static_assert(kHeaderBytes == FCGI_HEADER_LEN);
static_assert(kMaxContent % 8 == 0 && kMaxContent <= FCGI_MAX_LENGTH);

unsigned char byte(std::size_t value, unsigned shift) {
  return static_cast<unsigned char>(value >> shift);
}

std::size_t padding_for(std::size_t content) {
  return (8 - content % 8) % 8;
}

FCGI_Header header(unsigned char type, std::uint16_t request_id, std::size_t content) {
  return {.version = FCGI_VERSION_1,
          .type = type,
          .requestIdB1 = byte(request_id, 8),
          .requestIdB0 = byte(request_id, 0),
          .contentLengthB1 = byte(content, 8),
          .contentLengthB0 = byte(content, 0),
          .paddingLength = byte(padding_for(content), 0),
          .reserved = 0};
}

template <typename Struct>
std::array<char, sizeof(Struct)> bytes_of(const Struct& value) {
  return std::bit_cast<std::array<char, sizeof(Struct)>>(value);
}

template <typename Struct>
void append_struct(std::string& out, const Struct& value) {
  const auto bytes = bytes_of(value);
  out.append(bytes.data(), bytes.size());
}

// `content` is at most kMaxContent bytes.
void append_record(std::string& out, const FCGI_Header& head, std::string_view content) {
  append_struct(out, head);
  out.append(content);
  if (const std::size_t padding = padding_for(content.size())) out.append(padding, '\0');
}

FCGI_EndRequestRecord end_request(std::uint16_t request_id, std::uint32_t app_status,
                                  EndStatus status) {
  return {header(FCGI_END_REQUEST, request_id, sizeof(FCGI_EndRequestBody)),
          {.appStatusB3 = byte(app_status, 24),
           .appStatusB2 = byte(app_status, 16),
           .appStatusB1 = byte(app_status, 8),
           .appStatusB0 = byte(app_status, 0),
           .protocolStatus = static_cast<unsigned char>(status),
           .reserved = {}}};
}

void append_stream(std::string& out, unsigned char type, std::uint16_t request_id,
                   std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view content = bytes.substr(0, kMaxContent);
    append_record(out, header(type, request_id, content.size()), content);
    bytes.remove_prefix(content.size());
  }
}

}  // namespace

void append_stdout(std::string& out, std::uint16_t request_id, std::string_view bytes) {
  append_stream(out, FCGI_STDOUT, request_id, bytes);
}

void append_stderr(std::string& out, std::uint16_t request_id, std::string_view bytes) {
  append_stream(out, FCGI_STDERR, request_id, bytes);
}

void append_end(std::string& out, std::uint16_t request_id, std::uint32_t app_status) {
  struct {
    FCGI_Header stdout_end;
    FCGI_EndRequestRecord request_end;
  } const records{header(FCGI_STDOUT, request_id, 0),
                  end_request(request_id, app_status, EndStatus::request_complete)};
  append_struct(out, records);
}

void append_end_request(std::string& out, std::uint16_t request_id, std::uint32_t app_status,
                        EndStatus status) {
  append_struct(out, end_request(request_id, app_status, status));
}

std::array<char, kHeaderBytes> stdout_header(std::uint16_t request_id, std::size_t content,
                                             std::size_t& padding) {
  padding = padding_for(content);
  return bytes_of(header(FCGI_STDOUT, request_id, content));
}

void append_unknown_type(std::string& out, std::uint8_t record_type) {
  append_struct(out, FCGI_UnknownTypeRecord{header(FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID,
                                                   sizeof(FCGI_UnknownTypeBody)),
                                            {.type = record_type, .reserved = {}}});
}

void append_cut(std::string& out) {
  append_struct(out, header(FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, 0));
}

void GetValuesResult::add(std::string_view name, std::string_view value) {
  const std::size_t before = pairs_.size();
  append_pair(pairs_, {name, value});
  // The answer is one record. It overflows only when a peer asks for one name thousands of times.
  if (pairs_.size() > kMaxContent) pairs_.resize(before);
}

void GetValuesResult::append_to(std::string& out) const {
  append_record(out, header(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, pairs_.size()), pairs_);
}

}  // namespace fcgi
