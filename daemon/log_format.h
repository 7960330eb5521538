// An entry of the error log as option "log-format" has it. Pure.
#pragma once

#include "daemon/settings.h"
#include "pyhost/log_socket.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace pycgid {

struct LogRecord {
  LogLevel level = LogLevel::notice;
  std::string_view object{};      // "blog/2[4711]"
  std::string_view request_id{};  // empty: none
  std::string_view text{};
  bool is_workers = false;  // its lines stay lines, the others behind the first marked with "| "
  bool is_applications = false;  // its own words: with format plain nothing is put before them
  bool names_request = false;    // the text does, so that only format json tells its id beside it
};

// What is put before each line of an entry in text: a time, level and object; and before all lines,
// of any form: a priority for the journal.
struct LineStart {
  std::string_view priority{};
  std::string_view time{};  // empty: no time and no level, for the system's log, which has them
};

// What becomes of an entry, whoever it is from: escaped, and with what stands before each line, a
// text grows many times over. What is cut off is counted in the last line, which may exceed this.
inline constexpr std::size_t kMaxEntryLines = 1000;
inline constexpr std::size_t kMaxEntryBytes = 2 * pyhost::kMaxLogText;

// The lines of an entry, each with its end; valid UTF-8 without control characters, tabs in plain
// text excepted.
std::string format_record(LogFormat format, const LogRecord& record, const LineStart& start);

const char* level_name(LogLevel level);

}  // namespace pycgid
