// Option "access-format", see access_format.h.
#include "daemon/gateway/access_format.h"

#include "daemon/escape.h"
#include "daemon/gateway/access_codes.h"
#include "daemon/text.h"

#include <array>
#include <charconv>

namespace pycgid {
namespace {

constexpr std::string_view kCommon = "%h %l %u %t \"%r\" %>s %b";
constexpr std::string_view kCombined =
    "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"";

// The CGI variable of a request header: "User-Agent" is HTTP_USER_AGENT.
std::string variable_of_header(std::string_view header) {
  std::string name;
  for (const char c : header) {
    const bool small = c >= 'a' && c <= 'z';
    name += c == '-' ? '_' : static_cast<char>(small ? c - 'a' + 'A' : c);
  }
  if (name == "CONTENT_TYPE" || name == "CONTENT_LENGTH") return name;
  return "HTTP_" + name;
}

std::string in_small_letters(std::string_view text) {
  std::string small;
  for (const char c : text) small += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return small;
}

std::string argument_for(char letter, std::string_view written) {
  if (letter == 'i') return variable_of_header(written);
  if (letter == 'o') return in_small_letters(written);
  return std::string(written);
}

void append_number(std::string& line, std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  line.append(digits.data(), end);
}

}  // namespace

std::string AccessFormat::compile(std::string_view format) {
  if (format == "json") {
    compile_json();
    return {};
  }
  if (format == "common") format = kCommon;
  if (format == "combined") format = kCombined;
  while (!format.empty()) {
    if (!format.starts_with('%')) {
      add_literal(format.substr(0, format.find('%')));
      format.remove_prefix(std::min(format.find('%'), format.size()));
    } else if (std::string wrong = add_code(format); !wrong.empty()) {
      return wrong;
    }
  }
  return {};
}

// Takes one code off `rest`: a percent sign, perhaps "<" or ">", perhaps {ARGUMENT}, a letter. The
// modifiers choose between requests of an internal redirection, which there is none of here.
std::string AccessFormat::add_code(std::string_view& rest) {
  const std::string_view whole = rest;
  rest.remove_prefix(1);
  if (rest.starts_with('<') || rest.starts_with('>')) rest.remove_prefix(1);
  std::string_view argument;
  if (rest.starts_with('{')) {
    const std::size_t end = rest.find('}');
    if (end == rest.npos) return concat("has no \"}\" behind ", in_quotes(whole));
    argument = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  }
  if (rest.empty()) return concat("ends inside the code ", in_quotes(whole));
  const char letter = rest.front();
  rest.remove_prefix(1);
  if (letter == '%') {
    add_literal("%");
    return {};
  }
  const AccessCode* code = find_access_code(letter, argument);
  if (code == nullptr) {
    return concat("has the unknown code ", in_quotes(whole.substr(0, whole.size() - rest.size())));
  }
  const bool is_own = code->takes == AccessCode::Argument::any;
  items_.push_back({is_own ? argument_for(letter, argument) : std::string(code->argument),
                    code->text_of, code->number_of, code->append});
  return {};
}

void AccessFormat::add_literal(std::string_view text) {
  items_.push_back({.text = std::string(text)});
}

void AccessFormat::compile_json() {
  json_ = true;
  char before = '{';
  for (const JsonField& field : json_fields()) {
    add_literal(concat(std::string(1, before), in_quotes(field.key), ":"));
    before = ',';
    const AccessCode* code = find_access_code(field.letter, field.argument);
    const bool is_own = code->takes == AccessCode::Argument::any;
    items_.push_back({std::string(is_own ? field.argument : code->argument), code->text_of,
                      code->number_of, code->append});
  }
  add_literal("}");
}

void AccessFormat::append(std::string& line, const AccessRecord& record) const {
  for (const Item& item : items_) append_item(line, item, record);
  line += '\n';
}

void AccessFormat::append_item(std::string& line, const Item& item,
                               const AccessRecord& record) const {
  const std::string_view none = json_ ? "null" : "-";
  if (item.text_of != nullptr) {
    const std::string_view text = item.text_of(record, item.text);
    if (text.empty()) {
      line += none;
    } else if (json_) {
      append_json_string(line, text);
    } else {
      append_escaped_field(line, text);
    }
  } else if (item.number_of != nullptr) {
    const auto number = item.number_of(record);
    if (number) append_number(line, *number);
    if (!number) line += none;
  } else if (item.append != nullptr) {
    if (json_) line += '"';
    item.append(line, record, item.text);
    if (json_) line += '"';
  } else {
    line += item.text;
  }
}

}  // namespace pycgid
