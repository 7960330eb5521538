// Entries of the error log, see log_format.h.
#include "daemon/log_format.h"

#include "daemon/escape.h"
#include "daemon/text.h"

#include <algorithm>
#include <utility>

namespace pycgid {
namespace {

constexpr std::string_view kContinuation = "| ";

// Takes the first line off the text.
std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

// How a text is put into lines.
struct Form {
  std::string before;     // each of them
  std::string_view mark;  // and those behind the first
  std::string (*escape)(std::string_view& text, std::size_t room);
};

std::string cut_mark(std::size_t more, std::string_view unit) {
  return concat("... (cut, ", more, " ", unit, more == 1 ? "" : "s", " more)");
}

std::size_t count_lines(std::string_view text) {
  const auto ends = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  return ends + (text.ends_with('\n') ? 0 : 1);
}

std::size_t room_in(const std::string& entry) {
  return kMaxEntryBytes - std::min(entry.size(), kMaxEntryBytes);
}

// Each line may be a write, or a message, and has more before it than in it.
std::string bounded_lines(std::string_view text, const Form& form, bool is_one_line) {
  std::string lines;
  std::string_view mark;
  for (std::size_t count = 0; count == 0 || !text.empty(); ++count, mark = form.mark) {
    lines += form.before;
    lines += mark;
    if (count == kMaxEntryLines || room_in(lines) == 0) {
      return lines += concat(cut_mark(count_lines(text), "line"), "\n");
    }
    std::string_view line = is_one_line ? std::exchange(text, {}) : next_line(text);
    lines += form.escape(line, room_in(lines));
    if (!line.empty()) {
      return lines += concat(cut_mark(line.size() + text.size(), "byte"), "\n");
    }
    lines += '\n';
  }
  return lines;
}

std::string text_lines(const LogRecord& record, const LineStart& start) {
  std::string before(start.priority);
  if (!start.time.empty()) before += concat(start.time, " ", level_name(record.level), " ");
  before += escape_control(record.object) + ": ";
  if (!record.request_id.empty() && !record.names_request) {
    before += concat("[", escape_control(record.request_id), "] ");
  }
  const Form form{std::move(before), kContinuation, take_control_escaped};
  return bounded_lines(record.text, form, !record.is_workers);
}

std::string plain_lines(const LogRecord& record, const LineStart& start) {
  const Form form{std::string(start.priority), {}, take_unprintable_escaped};
  return bounded_lines(record.text, form, false);
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
  line += R"(,"text":")";
  std::string_view text = record.text;
  line += take_json_escaped(text, room_in(line));
  if (!text.empty()) line += cut_mark(text.size(), "byte");
  return line += "\"}\n";
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
