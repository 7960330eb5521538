// Text for the access log, see access_text.h.
#include "daemon/gateway/access_text.h"

#include <cstddef>
#include <cstdint>

namespace pycgid {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

constexpr bool is_plain(char character) {
  return character >= ' ' && character <= '~' && character != '"' && character != '\\';
}

// The letter behind a backslash; 0: none.
constexpr char short_escape(char character) {
  switch (character) {
    case '\n':
      return 'n';
    case '\t':
      return 't';
    case '\r':
      return 'r';
    case '"':
    case '\\':
      return character;
    default:
      return 0;
  }
}

void append_numbered(std::string& line, std::string_view prefix, unsigned char byte) {
  line += prefix;
  line += kDigits[byte >> 4];
  line += kDigits[byte & 15];
}

// Most text has nothing to escape: it is appended in one go.
std::size_t plain_size(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is_plain(text[size])) ++size;
  return size;
}

// How many bytes follow a first byte of UTF-8; 0 when it is none (RFC 3629).
std::size_t continuation_bytes(unsigned char first) {
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  if (first >= 0xf0 && first <= 0xf4) return 3;
  return 0;
}

// Overlong forms, surrogates and what is above U+10FFFF show in the second byte.
bool second_byte_fits(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second <= 0x9f;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second <= 0x8f;
    default:
      return true;
  }
}

// The length of the character of two bytes or more that `text` begins with; 0: it is no UTF-8.
std::size_t character_size(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::size_t more = continuation_bytes(byte(0));
  if (more == 0 || text.size() <= more || !second_byte_fits(byte(0), byte(1))) return 0;
  for (std::size_t i = 1; i <= more; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return more + 1;
}

// Appends what `text` begins with, which is not plain; returns how many bytes that were.
std::size_t append_json_character(std::string& line, std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (const char letter = short_escape(text[0])) {
    line += '\\';
    line += letter;
    return 1;
  }
  if (first < 0x80) {
    append_numbered(line, "\\u00", first);
    return 1;
  }
  const std::size_t size = character_size(text);
  if (size == 0) {
    line += kReplacement;
    return 1;
  }
  const bool is_c1_control = first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
  if (is_c1_control) {
    append_numbered(line, "\\u00", static_cast<unsigned char>(text[1]));
  } else {
    line += text.substr(0, size);
  }
  return size;
}

}  // namespace

void append_escaped_field(std::string& line, std::string_view text) {
  for (;;) {
    const std::size_t size = plain_size(text);
    line += text.substr(0, size);
    if (size == text.size()) return;
    if (const char letter = short_escape(text[size])) {
      line += '\\';
      line += letter;
    } else {
      append_numbered(line, "\\x", static_cast<unsigned char>(text[size]));
    }
    text.remove_prefix(size + 1);
  }
}

void append_json_string(std::string& line, std::string_view text) {
  line += '"';
  for (;;) {
    const std::size_t size = plain_size(text);
    line += text.substr(0, size);
    if (size == text.size()) break;
    text.remove_prefix(size);
    text.remove_prefix(append_json_character(line, text));
  }
  line += '"';
}

}  // namespace pycgid
