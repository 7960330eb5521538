// The gateway as the master sees it: forked, not exec'd, with its own end of the link.
#pragma once

#include "daemon/gateway/gateway.h"
#include "daemon/link.h"
#include "daemon/master/backoff.h"
#include "daemon/master/bound_socket.h"
#include "daemon/master/privileges.h"
#include "daemon/master/process_title.h"
#include "daemon/settings.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace pycgid {

struct ServedSocket {
  std::uint32_t pool = 0;  // its id
  BoundSocket* socket = nullptr;
};

class GatewayProcess {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `settings` outlives the gateway. Throws StartupError.
  GatewayProcess(const Settings& settings, const ProcessTitle& title);

  // Forks it; it serves `pools` on `sockets`, which stay the master's too. Returns what went wrong,
  // "" when nothing did.
  std::string start(const std::vector<ServedPool>& pools, const std::vector<ServedSocket>& sockets,
                    TimePoint now);

  bool is_running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  // "gateway[4711]"
  std::string object() const;
  // -1 while there is no link.
  int link_fd() const { return link_ ? link_->fd() : -1; }

  // A gateway that takes no messages is stuck: it is killed, and its end reported as any other.
  void send(const Message& message);
  // False when there is nothing more to read now.
  bool receive(Message& message);
  void kill();
  // Kills it, and reads nothing more of what it says.
  void condemn();

  // It was reaped; how long to wait before the next is started.
  std::chrono::milliseconds on_exited(TimePoint now);
  TimePoint started() const { return started_; }

 private:
  // The parent has the process id `master`.
  void become_gateway(const std::vector<ServedSocket>& sockets, const Link& link,
                      pid_t master) const;

  const Settings& settings_;
  ProcessTitle title_;
  Credentials credentials_;
  rlimit files_;  // of open files
  pid_t pid_ = -1;
  std::optional<Link> link_;
  bool ending_ = false;
  TimePoint started_{};
  Backoff backoff_;
};

}  // namespace pycgid
