// The one line about a worker's end: the master knows how it ended and what comes next, the gateway
// which requests it was running.
#pragma once

#include "daemon/link.h"
#include "daemon/log.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace pycgid {

// The requests that ended with a worker.
struct Losses {
  std::size_t lost = 0;  // answered 502, or cut; not those that a timeout had answered before
  std::string text{};    // "request 5f3a-12 (GET /): answered 502"; "": it was running none
};

// For the text of a message worker_exited. `object` is "blog/2[4711]", `what` "was killed by
// signal 11 (Segmentation fault), after 3m20s", `then` "; replacing it" or "".
std::string end_text(LogLevel level, std::string_view object, std::string_view what,
                     std::string_view then);

// Writes the line. Nothing for a message
// without text: the master says what that end means.
void log_end(const Message& message, const Losses& losses);

}  // namespace pycgid
