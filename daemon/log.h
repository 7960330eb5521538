// The error log: one line an event, in the form of CONTRACT.md:
//   2026-11-22T05:49:44.123Z notice blog/2[4711]: text
// or as option "log-format" has it. Control characters are escaped, so that nothing from outside
// can forge a line. Each entry leaves in one write(2). Used by master and gateway, each from its
// one thread; workers have their lines written by the gateway. A line that cannot be written is
// lost, which is told once, on standard error.
#pragma once

#include "daemon/escape.h"
#include "daemon/log_format.h"
#include "daemon/settings.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace pycgid {

// Who speaks when no object is given: "master" or "gateway"; the pid is taken once, here.
void set_log_identity(std::string_view name);
void set_log_level(LogLevel level);
void set_log_format(LogFormat format);
// Lines go to this descriptor from now on; it is not owned. Default: 2.
void set_log_fd(int fd);
// Lines go to the system's log from now on, with a facility of <syslog.h>.
void set_log_syslog(int facility);
// Whether option "log", "access-log" or "slow-log" names a file: not standard error, the system's
// log, or nothing.
bool names_file(std::string_view where);
// Lines go to what option "log" names from now on. False, and nothing changes, when that is a file.
bool direct_log(std::string_view where);
// What lines are written to, for the one who closes all other descriptors.
int log_fd();
bool log_enabled(LogLevel level);

void log_error(std::string_view text);
// About a log file that is open as `fd`: on standard error as well when these lines go there, where
// nobody would find it.
void log_error_about_file(int fd, std::string_view text);
void log_warning(std::string_view text);
void log_notice(std::string_view text);
void log_info(std::string_view text);
void log_debug(std::string_view text);

// A line about, or from, `object`, for instance "blog/2[4711]".
void log_line(LogLevel level, std::string_view object, std::string_view text);

// An entry that has more to it. Returns what it cost, in bytes; a write, and each message for the
// system's log, costs as much as a long line at least. 0: the level is left out.
std::size_t log_record(const LogRecord& record);

// The lines of an entry, with their ends, for another file than the error log.
std::string format_entry(const LogRecord& record);

// "<3>" where systemd-journald reads standard error and the log goes there, else nothing.
std::string journal_priority(LogLevel level);

}  // namespace pycgid
