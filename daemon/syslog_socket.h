// The system's log, for options "log" and "access-log": datagrams to /dev/log in the form that
// syslog(3) gives them. Unlike syslog(3) it never blocks: a log daemon that does not keep up must
// not stop a gateway. Each process has its own; one thread.
#pragma once

#include "pyhost/unique_fd.h"

#include <optional>
#include <string>
#include <string_view>

namespace pycgid {

// "syslog" or "syslog:FACILITY".
bool is_syslog(std::string_view where);
// The facility of such a destination ("daemon" when none is named), as <syslog.h> counts; nullopt
// when there is none of that name.
std::optional<int> syslog_facility(std::string_view where);

class SyslogSocket {
 public:
  explicit SyslogSocket(int facility) : facility_(facility) {}

  // Sends one message of a severity of <syslog.h>. Connects when necessary, once more when the log
  // daemon was started anew. Returns the error, 0 when there was none.
  int send(int severity, std::string_view text);

  // For the one who closes all other descriptors; -1 while it is not connected.
  int fd() const { return fd_.get(); }

 private:
  int try_send(std::string_view message);
  int connect();

  int facility_;
  pyhost::UniqueFd fd_;
};

}  // namespace pycgid
