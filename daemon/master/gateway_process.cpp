// The gateway as the master sees it, see gateway_process.h.
#include "daemon/master/gateway_process.h"

#include "daemon/log.h"
#include "daemon/master/background.h"
#include "daemon/master/descriptors.h"
#include "daemon/master/process_limits.h"
#include "daemon/master/signals.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <cerrno>
#include <csignal>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pycgid {

GatewayProcess::GatewayProcess(const Settings& settings, const ProcessTitle& title)
    : settings_(settings),
      title_(title),
      credentials_(gateway_credentials(settings)),
      files_(reachable_file_limit(files_of_gateway(settings))) {}

namespace {

std::vector<ListeningSocket> listeners_of(const std::vector<ServedSocket>& sockets) {
  std::vector<ListeningSocket> listeners;
  for (const auto& [pool, socket] : sockets) {
    const Address& address = socket->address();
    listeners.push_back({socket->take_fd(), address.protocol, pool, address.text, address.tls});
  }
  return listeners;
}

}  // namespace

std::string GatewayProcess::start(const std::vector<ServedPool>& pools,
                                  const std::vector<ServedSocket>& sockets, TimePoint now) {
  std::optional<std::pair<Link, Link>> ends;
  try {
    ends = Link::create();
  } catch (const std::system_error& error) {
    return concat("cannot create the gateway's link: ", error.what());
  }
  const pid_t master = getpid();
  pid_ = ::fork();
  if (pid_ < 0) return concat("cannot fork: ", reason(errno));
  if (pid_ == 0) {
    become_gateway(sockets, ends->second, master);
    _exit(run_gateway(settings_, pools, listeners_of(sockets), std::move(ends->second)));
  }
  setpgid(pid_, pid_);
  link_ = std::move(ends->first);
  started_ = now;
  return {};
}

void GatewayProcess::become_gateway(const std::vector<ServedSocket>& sockets, const Link& link,
                                    pid_t master) const {
  setpgid(0, 0);
  if (settings_.daemonize) leave_standard_descriptors();
  ::umask(077);
  ::setrlimit(RLIMIT_NOFILE, &files_);
  if (!drop_privileges(credentials_)) {
    log_error(concat("gateway cannot change to user ", in_quotes(settings_.user), ": ",
                     reason(errno), " ", settings_.places.text("user")));
    _exit(static_cast<int>(ExitStatus::system));
  }
  if (!die_with_parent(master)) _exit(static_cast<int>(ExitStatus::ok));
  std::vector<int> kept{link.fd(), log_fd()};
  for (const ServedSocket& served : sockets) kept.push_back(served.socket->fd().get());
  close_descriptors_except(kept);
  ignore_masters_signals();
  // sendfile(2) knows no MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  title_.set("pycgid: gateway");
  set_log_identity("gateway");
}

std::string GatewayProcess::object() const {
  return concat("gateway[", pid_, "]");
}

void GatewayProcess::send(const Message& message) {
  if (message.type == MessageType::finish) ending_ = true;
  if (!link_ || link_->send(message) || !is_running()) return;
  if (ending_) return link_.reset();  // it is gone already
  log_error(concat(object(), " takes no messages any more, killing it"));
  condemn();
}

bool GatewayProcess::receive(Message& message) {
  if (!link_) return false;
  const Link::Received received = link_->receive(message);
  if (received == Link::Received::closed) link_.reset();
  return received == Link::Received::message;
}

void GatewayProcess::kill() {
  ending_ = true;
  if (is_running()) ::kill(-pid_, SIGKILL);
}

void GatewayProcess::condemn() {
  link_.reset();
  kill();
}

std::chrono::milliseconds GatewayProcess::on_exited(TimePoint now) {
  pid_ = -1;
  link_.reset();
  ending_ = false;
  return backoff_.after_death(
      std::chrono::duration_cast<std::chrono::milliseconds>(now - started_));
}

}  // namespace pycgid
