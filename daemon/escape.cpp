#include "daemon/escape.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace pycgid {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kOwnForm = "\t\\";  // stays in text that has a form of its own
constexpr std::size_t kEndless = std::string_view::npos;
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

// C1 controls (U+0080 to U+009F) steer terminals like the escape character does.
bool is_c1_control(std::string_view character) {
  return character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
}

void append_escaped_bytes(std::string& line, std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte == '\n' || byte == '\t' || byte == '\\') {
      line += {'\\', short_escape(byte)};
    } else {
      append_numbered(line, "\\x", static_cast<unsigned char>(byte));
    }
  }
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
  if (is_c1_control(text)) {
    append_numbered(line, "\\u00", static_cast<unsigned char>(text[1]));
  } else {
    line += text.substr(0, size);
  }
  return size;
}

// Takes what fits into `room` off the text. `kept`: what is not escaped, besides printable
// characters.
std::string escape(std::string_view& text, std::string_view kept, std::size_t room) {
  std::string escaped;
  escaped.reserve(std::min(text.size(), room));
  while (!text.empty()) {
    const std::size_t before = escaped.size();
    const char first = text[0];
    const bool is_ascii = static_cast<unsigned char>(first) < 0x80;
    std::size_t size = is_ascii ? 1 : character_size(text);
    const bool stays =
        is_ascii ? (first >= ' ' && first <= '~' && first != '\\') || kept.find(first) != kept.npos
                 : size != 0 && !is_c1_control(text);
    size = std::max<std::size_t>(size, 1);
    if (stays) {
      escaped += text.substr(0, size);
    } else {
      append_escaped_bytes(escaped, text.substr(0, size));
    }
    if (escaped.size() > room) {
      escaped.resize(before);
      break;
    }
    text.remove_prefix(size);
  }
  return escaped;
}

}  // namespace

std::string escape_control(std::string_view text) {
  return escape(text, {}, kEndless);
}

std::string escape_unprintable(std::string_view text) {
  return escape(text, kOwnForm, kEndless);
}

std::string take_control_escaped(std::string_view& text, std::size_t room) {
  return escape(text, {}, room);
}

std::string take_unprintable_escaped(std::string_view& text, std::size_t room) {
  return escape(text, kOwnForm, room);
}

std::string take_json_escaped(std::string_view& text, std::size_t room) {
  std::string escaped;
  while (!text.empty()) {
    const std::size_t size = std::min(plain_size(text), room - escaped.size());
    escaped += text.substr(0, size);
    text.remove_prefix(size);
    if (text.empty()) break;
    const std::size_t before = escaped.size();
    const std::size_t taken = append_json_character(escaped, text);
    if (escaped.size() > room) {
      escaped.resize(before);
      break;
    }
    text.remove_prefix(taken);
  }
  return escaped;
}

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
