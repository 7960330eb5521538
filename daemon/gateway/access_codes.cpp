// The codes of option "access-format", see access_codes.h.
#include "daemon/gateway/access_codes.h"

#include "daemon/escape.h"
#include "daemon/gateway/http_syntax.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

namespace pycgid {
namespace {

using Number = std::optional<std::uint64_t>;
using Text = std::string_view;

// --- numbers -------------------------------------------------------------------------------------

template <typename Unit>
Number time_between(Clock::time_point start, Clock::time_point end) {
  const auto units = std::chrono::duration_cast<Unit>(end - start).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(units, 0));
}

template <typename Unit>
Number duration(const AccessRecord& record) {
  return time_between<Unit>(record.began, record.ended);
}

using Micro = std::chrono::microseconds;

Number queue_time(const AccessRecord& record) {
  return time_between<Micro>(record.queued, record.taken);
}

Number application_time(const AccessRecord& record) {
  return time_between<Micro>(record.taken, record.answered);
}

Number status(const AccessRecord& record) {
  return static_cast<std::uint64_t>(record.status);
}

Number body_sent(const AccessRecord& record) {
  return record.body_sent;
}

Number body_sent_unless_none(const AccessRecord& record) {
  return record.body_sent == 0 ? Number() : record.body_sent;
}

Number bytes_received(const AccessRecord& record) {
  return record.request.bytes() + record.body_received;
}

Number bytes_sent(const AccessRecord& record) {
  return record.response_head.size() + record.body_sent;
}

Number worker_pid(const AccessRecord& record) {
  if (record.worker_pid == 0) return std::nullopt;
  return static_cast<std::uint64_t>(record.worker_pid);
}

Number aborted(const AccessRecord& record) {
  return record.complete ? 0U : 1U;
}

// --- texts ---------------------------------------------------------------------------------------

Text nothing(const AccessRecord&, Text) {
  return {};
}

Text variable(const AccessRecord& record, Text name) {
  return record.request.get(name);
}

Text uri(const AccessRecord& record, Text) {
  return record.request.uri();
}

Text uri_path(const AccessRecord& record, Text) {
  const Text whole = record.request.uri();
  return whole.substr(0, whole.find('?'));
}

Text uri_query(const AccessRecord& record, Text) {
  const Text whole = record.request.uri();
  return whole.substr(std::min(whole.find('?'), whole.size()));
}

Text connection_state(const AccessRecord& record, Text) {
  return record.complete ? Text() : Text("X");
}

Text pool_name(const AccessRecord& record, Text) {
  return record.pool;
}

Text request_id(const AccessRecord& record, Text) {
  return record.id;
}

// The value of the first header line of that name, which is in small letters.
Text response_header(const AccessRecord& record, Text name) {
  Text rest = record.response_head;
  while (!rest.empty()) {
    const Text line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !equals_ignoring_case(line.substr(0, colon), name)) continue;
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == line.npos ? Text() : line.substr(start);
  }
  return {};
}

// --- what is composed ----------------------------------------------------------------------------

void request_line(std::string& line, const AccessRecord& record, Text) {
  if (record.request.method().empty()) {
    line += '-';
    return;
  }
  append_escaped_field(line, record.request.method());
  line += ' ';
  append_escaped_field(line, record.request.uri());
  line += ' ';
  append_escaped_field(line, record.request.get("SERVER_PROTOCOL"));
}

void append_digits(std::string& line, std::uint64_t value, int width) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  for (auto size = end - digits.data(); size < width; ++size) line += '0';
  line.append(digits.data(), end);
}

void append_clock(std::string& line, const std::tm& utc) {
  append_digits(line, static_cast<std::uint64_t>(utc.tm_hour), 2);
  line += ':';
  append_digits(line, static_cast<std::uint64_t>(utc.tm_min), 2);
  line += ':';
  append_digits(line, static_cast<std::uint64_t>(utc.tm_sec), 2);
}

// "[22/Nov/2026:05:49:44 +0000]": in UTC, as the error log.
void apache_time(std::string& line, const AccessRecord& record, Text) {
  constexpr Text kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::tm& utc = record.received.utc;
  line += '[';
  append_digits(line, static_cast<std::uint64_t>(utc.tm_mday), 2);
  line += '/';
  line += kMonths.substr(static_cast<std::size_t>(utc.tm_mon) * 3, 3);
  line += '/';
  append_digits(line, static_cast<std::uint64_t>(utc.tm_year + 1900), 4);
  line += ':';
  append_clock(line, utc);
  line += " +0000]";
}

// "2026-11-22T05:49:44.123Z", as the error log.
void iso_time(std::string& line, const AccessRecord& record, Text) {
  const std::tm& utc = record.received.utc;
  append_digits(line, static_cast<std::uint64_t>(utc.tm_year + 1900), 4);
  line += '-';
  append_digits(line, static_cast<std::uint64_t>(utc.tm_mon + 1), 2);
  line += '-';
  append_digits(line, static_cast<std::uint64_t>(utc.tm_mday), 2);
  line += 'T';
  append_clock(line, utc);
  line += '.';
  append_digits(line, record.received.microseconds / 1000, 3);
  line += 'Z';
}

void epoch_seconds(std::string& line, const AccessRecord& record, Text) {
  append_digits(line, static_cast<std::uint64_t>(record.received.seconds), 1);
}

void epoch_milliseconds(std::string& line, const AccessRecord& record, Text) {
  epoch_seconds(line, record, {});
  append_digits(line, record.received.microseconds / 1000, 3);
}

void epoch_microseconds(std::string& line, const AccessRecord& record, Text) {
  epoch_seconds(line, record, {});
  append_digits(line, record.received.microseconds, 6);
}

// The format is the administrator's own, a zero-terminated std::string behind the view.
void formatted_time(std::string& line, const AccessRecord& record, Text format) {
  std::array<char, 256> text{};
  const auto size = std::strftime(text.data(), text.size(), format.data(), &record.received.utc);
  line.append(text.data(), size);
}

// --- the table -----------------------------------------------------------------------------------

constexpr AccessCode text(char letter, AccessFormat::Text read, Text argument = {}) {
  return {letter, AccessCode::Argument::none, argument, read, nullptr, nullptr};
}

constexpr AccessCode named(char letter, AccessFormat::Text read) {
  return {letter, AccessCode::Argument::any, {}, read, nullptr, nullptr};
}

constexpr AccessCode note(char letter, Text argument, AccessFormat::Text read) {
  return {letter, AccessCode::Argument::fixed, argument, read, nullptr, nullptr};
}

constexpr AccessCode number(char letter, AccessFormat::Number read) {
  return {letter, AccessCode::Argument::none, {}, nullptr, read, nullptr};
}

constexpr AccessCode number(char letter, Text argument, AccessFormat::Number read) {
  return {letter, AccessCode::Argument::fixed, argument, nullptr, read, nullptr};
}

constexpr AccessCode raw(char letter, AccessFormat::Raw append) {
  return {letter, AccessCode::Argument::none, {}, nullptr, nullptr, append};
}

constexpr AccessCode raw(char letter, Text argument, AccessFormat::Raw append) {
  return {letter, AccessCode::Argument::fixed, argument, nullptr, nullptr, append};
}

// The one with any argument stands behind those with a fixed one.
constexpr AccessCode kCodes[] = {
    text('a', variable, "REMOTE_ADDR"),
    text('A', variable, "SERVER_ADDR"),
    number('b', body_sent_unless_none),
    number('B', body_sent),
    number('D', duration<Micro>),
    named('e', variable),
    text('f', variable, "SCRIPT_FILENAME"),
    text('h', variable, "REMOTE_ADDR"),
    text('H', variable, "SERVER_PROTOCOL"),
    named('i', variable),
    number('I', bytes_received),
    text('l', nothing),
    text('L', request_id),
    text('m', variable, "REQUEST_METHOD"),
    note('n', "id", request_id),
    note('n', "pool", pool_name),
    note('n', "uri", uri),
    number('n', "aborted", aborted),
    named('o', response_header),
    number('O', bytes_sent),
    text('p', variable, "SERVER_PORT"),
    number('P', worker_pid),
    number('P', "pid", worker_pid),
    text('q', uri_query),
    raw('r', request_line),
    number('s', status),
    raw('t', apache_time),
    raw('t', "iso", iso_time),
    raw('t', "sec", epoch_seconds),
    raw('t', "msec", epoch_milliseconds),
    raw('t', "usec", epoch_microseconds),
    {'t', AccessCode::Argument::any, {}, nullptr, nullptr, formatted_time},
    number('T', duration<std::chrono::seconds>),
    number('T', "s", duration<std::chrono::seconds>),
    number('T', "ms", duration<std::chrono::milliseconds>),
    number('T', "us", duration<Micro>),
    number('T', "queue", queue_time),
    number('T', "app", application_time),
    text('u', variable, "REMOTE_USER"),
    text('U', uri_path),
    text('v', variable, "SERVER_NAME"),
    text('V', variable, "SERVER_NAME"),
    text('X', connection_state),
};

constexpr JsonField kJsonFields[] = {
    {"time", 't', "iso"},
    {"id", 'L'},
    {"pool", 'n', "pool"},
    {"worker_pid", 'P'},
    {"remote_addr", 'a'},
    {"user", 'u'},
    {"method", 'm'},
    {"uri", 'n', "uri"},
    {"protocol", 'H'},
    {"host", 'i', "HTTP_HOST"},
    {"status", 's'},
    {"bytes", 'B'},
    {"bytes_received", 'I'},
    {"referer", 'i', "HTTP_REFERER"},
    {"user_agent", 'i', "HTTP_USER_AGENT"},
    {"duration_us", 'D'},
    {"queue_us", 'T', "queue"},
    {"app_us", 'T', "app"},
    {"aborted", 'n', "aborted"},
};

bool fits(const AccessCode& code, std::string_view argument) {
  switch (code.takes) {
    case AccessCode::Argument::none:
      return argument.empty();
    case AccessCode::Argument::fixed:
      return argument == code.argument;
    case AccessCode::Argument::any:
      return !argument.empty();
  }
  return false;
}

}  // namespace

const AccessCode* find_access_code(char letter, std::string_view argument) {
  const auto code = std::ranges::find_if(kCodes, [&](const AccessCode& each) {
    return each.letter == letter && fits(each, argument);
  });
  return code == std::end(kCodes) ? nullptr : code;
}

std::span<const JsonField> json_fields() {
  return kJsonFields;
}

}  // namespace pycgid
