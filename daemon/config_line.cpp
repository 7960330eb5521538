// One line of pycgid.conf(5), see config_line.h.
#include "daemon/config_line.h"

#include "daemon/text.h"

#include <algorithm>
#include <optional>

namespace pycgid {
namespace {

constexpr std::string_view kBlanks = " \t\r";
// Its value has a name of its own, behind which quotes may stand.
constexpr std::string_view kAssigning = "env";

bool is_blank(char character) {
  return kBlanks.find(character) != std::string_view::npos;
}

bool is_quote(char character) {
  return character == '"' || character == '\'';
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// Where the comment begins in `text` that follows a blank or not; its size when there is none.
std::size_t comment_in(std::string_view text, bool after_blank) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#' && after_blank) return i;
    after_blank = is_blank(text[i]);
  }
  return text.size();
}

ConfigLine wrong(std::string problem) {
  return {.kind = ConfigLine::Kind::wrong, .problem = std::move(problem)};
}

// --- values --------------------------------------------------------------------------------------

struct Unquoted {
  std::string value{};
  std::string_view rest{};
  bool closed = false;
};

// `text` begins with a quote.
Unquoted unquote(std::string_view text) {
  const char quote = text.front();
  Unquoted result;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      result.rest = text.substr(i + 1);
      result.closed = true;
      return result;
    }
    const bool escapes = quote == '"' && text[i] == '\\' && i + 1 < text.size() &&
                         (text[i + 1] == '"' || text[i + 1] == '\\');
    if (escapes) ++i;
    result.value += text[i];
  }
  return result;
}

ConfigLine quoted_option(std::string_view name, std::string_view before, std::string_view text) {
  Unquoted unquoted = unquote(text);
  if (!unquoted.closed) return wrong("the quote is not closed");
  const std::string_view behind = trimmed(unquoted.rest);
  if (!behind.empty() && (behind.front() != '#' || !is_blank(unquoted.rest.front()))) {
    return wrong("text stands behind the closing quote; put quotes of the other kind around all");
  }
  return {.kind = ConfigLine::Kind::option,
          .name = std::string(name),
          .value = concat(before, unquoted.value)};
}

// What of `text`, the value of option "env", stands before a quote that opens its VALUE.
std::optional<std::string_view> before_quote(std::string_view option, std::string_view text) {
  if (option != kAssigning) return std::nullopt;
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals + 1 == text.size()) return std::nullopt;
  const std::string_view before = text.substr(0, equals + 1);
  if (!is_quote(text[equals + 1]) || before.find_first_of(" \t\"'#") != std::string_view::npos) {
    return std::nullopt;
  }
  return before;
}

bool has_odd_quotes(std::string_view text) {
  return std::ranges::count(text, '"') % 2 != 0 || std::ranges::count(text, '\'') % 2 != 0;
}

bool has_typographic_quote(std::string_view text) {
  constexpr std::string_view kQuotes[] = {"\u201c", "\u201d", "\u201e",
                                          "\u2018", "\u2019", "\u00ab"};
  return std::ranges::any_of(kQuotes, [&](std::string_view quote) {
    return text.starts_with(quote) || text.find(concat("=", quote)) != std::string_view::npos;
  });
}

bool expects_expansion(std::string_view value) {
  return value.starts_with("~/") || value.starts_with("$");
}

std::string warning_about(std::string_view option, std::string_view value,
                          std::string_view comment) {
  if (has_odd_quotes(value) && !comment.empty()) {
    return concat(in_quotes(comment),
                  " is a comment, within quotes that do not begin the value; "
                  "put quotes of the other kind around all of it");
  }
  if (option == kAssigning && comment.size() > 1 && !is_blank(comment[1])) {
    return concat(in_quotes(comment), " is a comment; put the value in quotes if it belongs to it");
  }
  if (has_typographic_quote(value)) return "these quotes belong to the value; write \" or '";
  if (value.ends_with('\\')) return "the line does not go on below; the \\ belongs to the value";
  if (option == kAssigning) return {};
  if (expects_expansion(value)) return "variables and ~ are taken as they stand; write the path";
  if (option == "pythonpath" && value.find(':') != std::string_view::npos) {
    return "the \":\" belongs to the path; write one directory a line";
  }
  return {};
}

// `text` begins behind the "=".
ConfigLine option_line(std::string_view name, std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  const bool after_blank = begin > 0;
  text.remove_prefix(begin);
  if (!text.empty() && is_quote(text.front())) return quoted_option(name, {}, text);
  if (const auto before = before_quote(name, text)) {
    return quoted_option(name, *before, text.substr(before->size()));
  }
  const std::size_t comment = comment_in(text, after_blank);
  const std::string_view value = trimmed(text.substr(0, comment));
  return {.kind = ConfigLine::Kind::option,
          .name = std::string(name),
          .value = std::string(value),
          .warning = warning_about(name, value, trimmed(text.substr(comment)))};
}

ConfigLine head_line(std::string_view line) {
  line = trimmed(line.substr(0, comment_in(line, false)));
  const bool closed = line.ends_with(']');
  const std::string_view name = trimmed(line.substr(1, line.size() - (closed ? 2 : 1)));
  if (!closed || name.empty() || name.find_first_of("[]/") != std::string_view::npos) {
    return wrong("write [NAME] with the name of a pool, without brackets and slashes");
  }
  return {.kind = ConfigLine::Kind::head, .name = std::string(name)};
}

}  // namespace

ConfigLine read_config_line(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.front() == '#') return {};
  if (line.find('\0') != std::string_view::npos) {
    return wrong("it holds a NUL byte; a configuration is text in UTF-8");
  }
  if (line.front() == ';') return wrong("a comment begins with #");
  if (line.front() == '[') return head_line(line);
  const std::size_t equals = line.find('=');
  const std::string_view name = trimmed(line.substr(0, equals));
  const bool is_option = equals != std::string_view::npos && !name.empty() &&
                         name.find_first_of(" \t#\"'") == std::string_view::npos;
  return is_option ? option_line(name, line.substr(equals + 1)) : wrong("write NAME = VALUE");
}

std::string write_config_value(std::string_view option, std::string_view value) {
  if (value.empty()) return {};
  const ConfigLine plain = read_config_line(concat(option, " = ", value));
  if (plain.kind == ConfigLine::Kind::option && plain.value == value) return std::string(value);
  std::string text = "\"";
  for (char character : value) {
    if (character == '"' || character == '\\') text += '\\';
    text += character;
  }
  return text + '"';
}

bool fits_in_line(std::string_view value) {
  return value.find('\n') == std::string_view::npos && value.find('\0') == std::string_view::npos;
}

}  // namespace pycgid
