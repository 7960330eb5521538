// Entries of the error log, see log_format.h.
#include "daemon/log_format.h"

#include "daemon/escape.h"
#include "daemon/text.h"

#include <algorithm>

namespace pycgid {
namespace {

constexpr std::string_view kContinuation = "| ";

// Takes the first line off the text.
std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string text_lines(const LogRecord& record, const LineStart& start) {
  std::string before(start.priority);
  if (!start.time.empty()) before += concat(start.time, " ", level_name(record.level), " ");
  before += escape_control(record.object) + ": ";
  if (!record.request_id.empty()) before += concat("[", escape_control(record.request_id), "] ");
  if (!record.is_workers) return concat(before, escape_control(record.text), "\n");
  std::string_view rest = record.text;
  std::string lines = concat(before, escape_control(next_line(rest)), "\n");
  while (!rest.empty()) {
    lines += concat(before, kContinuation, escape_control(next_line(rest)), "\n");
  }
  return lines;
}

std::string plain_lines(const LogRecord& record, const LineStart& start) {
  std::string lines;
  std::string_view rest = record.text;
  do {
    lines += concat(start.priority, escape_unprintable(next_line(rest)), "\n");
  } while (!rest.empty());
  return lines;
}

// "blog/2[4711]": name and number.
void append_object(std::string& line, std::string_view object) {
  const std::size_t bracket = object.ends_with(']') ? object.rfind('[') : object.npos;
  line += R"(,"object":)";
  append_json_string(line, object.substr(0, bracket));
  if (bracket == object.npos) return;
  const std::string_view pid = object.substr(bracket + 1, object.size() - bracket - 2);
  const bool is_number = !pid.empty() && pid.find_first_not_of("0123456789") == pid.npos;
  if (is_number) line += concat(R"(,"pid":)", pid);
}

std::string json_line(const LogRecord& record, const LineStart& start) {
  std::string line(start.priority);
  line += "{";
  if (!start.time.empty()) line += concat(R"("time":")", start.time, R"(",)");
  line += concat(R"("level":")", level_name(record.level), R"(")");
  append_object(line, record.object);
  if (!record.request_id.empty()) {
    line += R"(,"request":)";
    append_json_string(line, record.request_id);
  }
  line += R"(,"text":)";
  append_json_string(line, record.text);
  return line += "}\n";
}

}  // namespace

std::string format_record(LogFormat format, const LogRecord& record, const LineStart& start) {
  if (format == LogFormat::json) return json_line(record, start);
  const bool is_plain = format == LogFormat::plain && record.is_applications;
  return is_plain ? plain_lines(record, start) : text_lines(record, start);
}

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::notice:
      return "notice";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "error";
}

}  // namespace pycgid
