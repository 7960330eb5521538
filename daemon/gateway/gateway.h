// The gateway process: every socket to the front servers, one thread, one Asio loop.
#pragma once

#include "daemon/link.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <string>
#include <vector>

namespace pycgid {

struct ListeningSocket {
  pyhost::UniqueFd fd;  // bound, listening, non-blocking, CLOEXEC
  Protocol protocol = Protocol::fastcgi;
  std::uint32_t pool = 0;  // index into Settings::pools
  std::string text;        // for messages
};

// Runs in the gateway's process, privileges dropped already, until `finish` was ordered and done or
// the link is closed. Returns the exit status.
int run_gateway(const Settings& settings, std::vector<ListeningSocket> listeners, Link link);

}  // namespace pycgid
