#include "pyhost/worker_signals.h"

#include "pyhost/session.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace pyhost {
namespace {

constexpr std::array<int, 6> kMasters{SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

// The kernel sends it when the master dies. SIGRTMAX is StackDump's.
int end_signal() {
  return SIGRTMAX - 1;
}

// What handlers need, which get no argument of ours.
std::atomic<pid_t> owner{0};
std::atomic<pid_t> master{0};  // 0: nobody whose death matters
std::atomic<bool> told_to_leave{false};
std::atomic<WorkerEnd*> leaving_worker{nullptr};
static_assert(std::atomic<WorkerEnd*>::is_always_lock_free);

void leave() {
  told_to_leave.store(true);
  if (WorkerEnd* const worker = leaving_worker.load()) worker->ask_for_successor();
}

// In a fork of the application's: as if we had never been here.
void meet_default(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal, &action, nullptr);
  ::raise(signal);  // when the handler has returned
}

void on_masters_signal(int signal) {
  const int error = errno;
  if (::getpid() != owner.load()) {
    meet_default(signal);
  } else if (signal == SIGTERM) {
    leave();
  }
  errno = error;
}

// Also when no thread gets to run Python any more.
void on_masters_death(int) {
  const pid_t self = ::getpid();
  if (::getsid(0) == self) kill_sessions({&self, 1});
  if (::getpgrp() == self) ::kill(-self, SIGKILL);
  ::kill(self, SIGKILL);
}

// What the application has started ends with the worker. The master sees to that, but it may be
// dying itself: its descriptors are closed, which ends the worker, before it has another parent and
// is sent the signal.
void at_exit() {
  const pid_t self = ::getpid();
  if (master.load() == 0 || self != owner.load()) return;
  if (::getsid(0) == self) kill_sessions({&self, 1});
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  ::sigaction(signal, &action, nullptr);
}

bool is_default(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
}

void change_mask(int how) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kMasters) sigaddset(&set, signal);
  ::pthread_sigmask(how, &set, nullptr);
}

// Killed by the kernel it could not take along what its application has started.
void end_session_with_master() {
  int now = 0;
  if (::prctl(PR_GET_PDEATHSIG, &now) != 0 || now != SIGKILL) return;
  const pid_t parent = ::getppid();
  master.store(parent);
  std::atexit(at_exit);
  ::prctl(PR_SET_PDEATHSIG, end_signal());
  if (::getppid() != parent) on_masters_death(0);
}

}  // namespace

void take_signals() {
  if (owner.exchange(::getpid()) == 0) {
    set_handler(end_signal(), on_masters_death);
    end_session_with_master();
    set_handler(SIGINT, on_masters_signal);  // Python has its own there
  }
  for (const int signal : kMasters) {
    if (is_default(signal)) set_handler(signal, on_masters_signal);
  }
  change_mask(SIG_UNBLOCK);
}

void leave_on_term(WorkerEnd& worker) {
  leaving_worker.store(&worker);
  if (told_to_leave.load()) worker.ask_for_successor();
}

HeldSignals::HeldSignals() {
  change_mask(SIG_BLOCK);
}

HeldSignals::~HeldSignals() {
  change_mask(SIG_UNBLOCK);
}

bool take_signals_forked(pid_t parent) {
  owner.store(::getpid());
  master.store(parent);
  told_to_leave.store(false);
  return ::prctl(PR_SET_PDEATHSIG, end_signal()) == 0 && ::getppid() == parent;
}

}  // namespace pyhost
