// What started the daemon and wants to hear of it: systemd, or whatever speaks sd_notify(3); the
// waiting parent of option "daemonize"; the reader of option "pidfile". Runs on the master's one
// thread. The master shows its state once a turn; what changed is told from here.
//
// The watchdog is fed only when the gateway's loop has answered a ping.
#pragma once

#include "daemon/master/background.h"
#include "daemon/master/pid_file.h"
#include "daemon/notify_socket.h"
#include "daemon/settings.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace pycgid {

// What there is to tell.
struct ServiceState {
  enum class Phase { starting, serving, stopping };
  Phase phase = Phase::starting;
  std::size_t pools = 0;
  std::size_t failed_pools = 0;  // of them, those that do not start
  std::size_t workers = 0;       // in service
  bool reloading = false;
  std::string reload_failure{};  // `pool "blog" failed: why`, the last time; empty: it went well
  // The longest that a start or reload, and the end, may take.
  Milliseconds start_timeout{0};
  Milliseconds stop_timeout{0};
};

// "2 pools, 8 workers, serving"
std::string describe_service(const ServiceState& state);

class ServiceManager {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. The others outlive the object.
  ServiceManager(PidFile& pid_file, Background& background);
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // The state at the end of a turn.
  void observe(const ServiceState& state, TimePoint now);
  // A reload was asked for; it is over when observe() sees no reload in progress any more.
  void reload_began();
  // It changed nothing, as the configuration is wrong.
  void reload_refused() { refused_ = true; }
  // The daemon does not start.
  void failed(std::string_view why);

  // True: ping the gateway now, and call on_pong() when it answers.
  bool wants_ping(TimePoint now);
  // The gateway's loop runs.
  void on_pong(TimePoint now);
  // When wants_ping() or observe() has something to do.
  std::optional<TimePoint> next_due() const;

 private:
  void start(const ServiceState& state, TimePoint now);
  void tend_pid_file(TimePoint now);
  void tell_reload(const ServiceState& state);
  std::string status_of(const ServiceState& state) const;
  void tell_status(std::string_view prefix, const std::string& status);

  PidFile& pid_file_;
  Background& background_;
  NotifySocket socket_;
  std::optional<ServiceState::Phase> told_phase_;
  bool reload_asked_ = false;
  bool refused_ = false;    // the last one
  bool reloading_ = false;  // as the service manager knows it
  std::string told_status_;
  Milliseconds ping_every_{0};         // 0: no watchdog
  std::optional<TimePoint> ping_due_;  // while the daemon serves and has a watchdog
  std::optional<TimePoint> tend_due_;  // while the daemon serves and has a pid file
  bool pinged_ = false;                // and not answered yet
  bool silent_ = false;                // that was logged
};

}  // namespace pycgid
