// What started the daemon, see service_manager.h.
#include "daemon/master/service_manager.h"

#include "daemon/log.h"
#include "daemon/option_values.h"
#include "daemon/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

// What the service manager is asked for beyond our own timeouts.
constexpr Milliseconds kMargin{5000};

std::string counted(std::size_t count, std::string_view thing) {
  return concat(count, " ", thing, count == 1 ? "" : "s");
}

std::string extend_timeout(Milliseconds patience) {
  const auto wanted = std::chrono::microseconds(patience + kMargin);
  return concat("EXTEND_TIMEOUT_USEC=", wanted.count(), "\n");
}

// systemd compares it with when it asked for the reload.
std::string monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return concat("MONOTONIC_USEC=", std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000, "\n");
}

std::optional<std::uint64_t> number_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? std::nullopt : parse_number(value);
}

// Half of WATCHDOG_USEC, when it is meant for this process; else 0.
Milliseconds watchdog_half() {
  const auto period = number_in("WATCHDOG_USEC");
  if (!period || std::getenv("NOTIFY_SOCKET") == nullptr) return Milliseconds{0};
  if (std::getenv("WATCHDOG_PID") != nullptr &&
      number_in("WATCHDOG_PID") != static_cast<std::uint64_t>(::getpid())) {
    return Milliseconds{0};
  }
  return Milliseconds(static_cast<std::int64_t>(std::max<std::uint64_t>(*period / 2000, 1)));
}

}  // namespace

std::string describe_service(const ServiceState& state) {
  const std::string size =
      concat(counted(state.pools, "pool"), ", ", counted(state.workers, "worker"));
  if (state.phase == ServiceState::Phase::starting) {
    return concat("starting ", counted(state.pools, "pool"));
  }
  if (state.phase == ServiceState::Phase::stopping) return "finishing the requests in progress";
  std::string text = concat(size, ", serving");
  if (state.failed_pools > 0) {
    text += concat("; ", counted(state.failed_pools, "pool"),
                   state.failed_pools == 1 ? " does not start" : " do not start");
  }
  if (state.reloading) return concat("reloading; ", text);
  if (state.reload_failure.empty()) return text;
  return concat("reload of ", state.reload_failure, "; ", text);
}

ServiceManager::ServiceManager(PidFile& pid_file, Background& background)
    : pid_file_(pid_file),
      background_(background),
      socket_(std::getenv("NOTIFY_SOCKET")),
      ping_every_(watchdog_half()) {}

void ServiceManager::reload_began() {
  reload_asked_ = true;
  refused_ = false;
}

std::string ServiceManager::status_of(const ServiceState& state) const {
  std::string text = describe_service(state);
  if (!refused_ || state.phase != ServiceState::Phase::serving) return text;
  return concat("reload failed: the configuration is wrong, see the log; ", text);
}

void ServiceManager::observe(const ServiceState& state, TimePoint now) {
  const bool phase_is_new = std::exchange(told_phase_, state.phase) != state.phase;
  const std::string status = status_of(state);
  if (phase_is_new && state.phase == ServiceState::Phase::starting) {
    return tell_status(extend_timeout(state.start_timeout), status);
  }
  if (phase_is_new && state.phase == ServiceState::Phase::stopping) {
    ping_due_.reset();  // systemd does not watch any more
    tend_due_.reset();
    return tell_status("STOPPING=1\n" + extend_timeout(state.stop_timeout), status);
  }
  if (phase_is_new) start(state, now);
  if (state.phase == ServiceState::Phase::serving) tell_reload(state);
  tend_pid_file(now);
  if (status != told_status_) tell_status("", status);
}

void ServiceManager::start(const ServiceState& state, TimePoint now) {
  pid_file_.publish();
  background_.ready();
  reload_asked_ = false;  // the start has just read everything
  tell_status("READY=1\n", status_of(state));
  if (ping_every_.count() > 0) ping_due_ = now;
  if (pid_file_.is_published()) tend_due_ = now;
}

void ServiceManager::tend_pid_file(TimePoint now) {
  constexpr std::chrono::seconds kTendEvery{1};
  if (!tend_due_ || *tend_due_ > now) return;
  tend_due_ = now + kTendEvery;
  pid_file_.tend();
}

std::optional<ServiceManager::TimePoint> ServiceManager::next_due() const {
  if (!ping_due_ || !tend_due_) return ping_due_ ? ping_due_ : tend_due_;
  return std::min(*ping_due_, *tend_due_);
}

// RELOADING is said even when the reload is over by now: systemd waits for it.
void ServiceManager::tell_reload(const ServiceState& state) {
  const std::string status = status_of(state);
  if (std::exchange(reload_asked_, false)) {
    reloading_ = true;
    tell_status("RELOADING=1\n" + monotonic_now() + extend_timeout(state.start_timeout), status);
  }
  if (!reloading_ || state.reloading) return;
  reloading_ = false;
  tell_status("READY=1\n", status);
}

void ServiceManager::tell_status(std::string_view prefix, const std::string& status) {
  told_status_ = status;
  socket_.send(concat(prefix, "STATUS=", escape_control(status)));
}

void ServiceManager::failed(std::string_view why) {
  tell_status("", concat("start failed: ", why));
}

bool ServiceManager::wants_ping(TimePoint now) {
  if (!ping_due_ || *ping_due_ > now) return false;
  ping_due_ = now + ping_every_;
  if (!std::exchange(pinged_, true)) return true;
  if (!std::exchange(silent_, true)) {
    log_error(concat("the gateway has not answered for ", duration_text(ping_every_),
                     "; the service manager's watchdog is not fed until it does"));
  }
  return false;
}

void ServiceManager::on_pong(TimePoint now) {
  if (!ping_due_) return;
  if (std::exchange(pinged_, false)) ping_due_ = now + ping_every_;
  if (std::exchange(silent_, false)) log_notice("the gateway answers again");
  socket_.send("WATCHDOG=1");
}

}  // namespace pycgid
