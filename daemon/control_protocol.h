// What pycgidctl(8) and the master say to each other over the Unix socket of option "control".
//
//   request:  COMMAND "\n"  or  COMMAND " " ARGUMENT "\n"
//   answer:   "ok " LENGTH "\n" TEXT  or  "no " LENGTH "\n" TEXT     (LENGTH bytes of text)
//
// One request a connection; the master closes after the answer.
//
//   ping          "pong" when the gateway has answered, too
//   status FORM   table, json or openmetrics
//   reload [POOL] answered when it is over, with a line for each pool, or for each that failed
//   reopen-logs   an empty text
//   stop          an empty text at once; the connection stays open until the daemon ends
//
// The text of a "no" is for the administrator, a reason a line. Who may connect may ask for all of
// it: the socket's permissions decide.
#pragma once

#include <cstddef>
#include <string_view>

namespace pycgid {

inline constexpr std::string_view kDefaultControlPath = "/run/pycgid/control.sock";

// A request with its line feed.
inline constexpr std::size_t kMaxControlRequest = 1024;

inline constexpr std::string_view kControlOk = "ok";
inline constexpr std::string_view kControlNo = "no";

}  // namespace pycgid
