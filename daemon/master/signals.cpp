// The master's signals, see signals.h.
#include "daemon/master/signals.h"

#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <sys/signalfd.h>
#include <unistd.h>

namespace pycgid {
namespace {

constexpr std::array<int, 6> kMasters{SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

sigset_t masters_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kMasters) sigaddset(&set, signal);
  return set;
}

sigset_t held_signals() {
  sigset_t set = masters_signals();
  sigaddset(&set, SIGCHLD);
  return set;
}

void set_defaults() {
  for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_DFL);
}

}  // namespace

void hold_signals() {
  const sigset_t set = held_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

void let_signals_through() {
  const sigset_t set = held_signals();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

pyhost::UniqueFd take_signals() {
  hold_signals();
  const sigset_t set = held_signals();
  // An init system may have started us with CHLD ignored: children would vanish unseen.
  std::signal(SIGCHLD, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  pyhost::UniqueFd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) fail_start(ExitStatus::system, concat("cannot create a signalfd: ", reason(errno)));
  return fd;
}

int next_signal(const pyhost::UniqueFd& signals) {
  signalfd_siginfo info{};
  if (::read(signals.get(), &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

void hand_signals_on() {
  set_defaults();
  const sigset_t set = masters_signals();
  sigprocmask(SIG_SETMASK, &set, nullptr);
}

void ignore_masters_signals() {
  set_defaults();
  for (const int signal : kMasters) std::signal(signal, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace pycgid
