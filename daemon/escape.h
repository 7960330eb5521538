// Text from outside, made fit for a line of a log. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pycgid {

// `text` with every control character (C0, DEL, C1), backslash and byte that is no UTF-8 as \n, \t
// or \xNN.
std::string escape_control(std::string_view text);

// Likewise, but a tab and a backslash stay: for text that has a form of its own.
std::string escape_unprintable(std::string_view text);

// Likewise, each, as much of `text` as takes no more than `room` bytes; that is taken off the text.
std::string take_control_escaped(std::string_view& text, std::size_t room);
std::string take_unprintable_escaped(std::string_view& text, std::size_t room);
// Likewise, what stands inside the quotes of a JSON string, see below.
std::string take_json_escaped(std::string_view& text, std::size_t room);

// As Apache does it: \" and \\, \n, \t and \r, and \xNN for every other byte outside printable
// ASCII, so that nothing ends a quoted field or a line, or steers a terminal.
void append_escaped_field(std::string& line, std::string_view text);

// A JSON string with its quotes (RFC 8259), always valid UTF-8: what is no UTF-8 becomes U+FFFD,
// and the controls of both sets (C0, DEL, C1) become \u00NN.
void append_json_string(std::string& line, std::string_view text);

}  // namespace pycgid
