// The gateway process: every socket to the front servers, one thread, one Asio loop.
#pragma once

#include "daemon/link.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pycgid {

struct ListeningSocket {
  pyhost::UniqueFd fd;  // bound, listening, non-blocking, CLOEXEC
  Protocol protocol = Protocol::fastcgi;
  std::uint32_t pool = 0;  // its id
  std::string text;        // the address as it was written
  bool tls = false;
};

struct ServedPool {
  std::uint32_t id = 0;
  PoolSettings settings;
};

// Runs in the gateway's process, privileges dropped already, until `finish` was ordered and done or
// the link is closed. Of `settings` what is global counts. Returns the exit status.
int run_gateway(const Settings& settings, const std::vector<ServedPool>& pools,
                std::vector<ListeningSocket> listeners, Link link);

}  // namespace pycgid
