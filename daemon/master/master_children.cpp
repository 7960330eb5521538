// Processes that have ended: the gateway, workers, templates, and what they have started. Part of
// Master, see master.h.
#include "daemon/log.h"
#include "daemon/master/exit_text.h"
#include "daemon/master/master.h"
#include "daemon/text.h"
#include "pyhost/session.h"

#include <chrono>
#include <csignal>
#include <sys/wait.h>

namespace pycgid {
namespace {

TimePoint current_time() {
  return std::chrono::steady_clock::now();
}

}  // namespace

void Master::reap_children() {
  siginfo_t info{};
  // The rest in the next turn: an application that leaves one process after another to process 1 of
  // a container, or to a subreaper, does not keep the master from anything else.
  constexpr int kMostAtOnce = 16;
  reap_again_ = true;
  for (int count = 0; count < kMostAtOnce; ++count) {
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
      reap_again_ = false;
      break;
    }
    const pid_t pid = info.si_pid;
    // A worker that a template forked has reported itself before it ended.
    for (const auto& pool : pools_) pool->templates().hear(current_time());
    if (is_ours(pid)) {
      // What a worker has started ends with it. The number of its group and of its session is not
      // used again before it is reaped.
      ::kill(-pid, SIGKILL);
      pyhost::kill_sessions({&pid, 1});
    }
    int wait_status = 0;
    ::waitpid(pid, &wait_status, 0);
    on_child_exited(pid, wait_status);
    info.si_pid = 0;
  }
}

// As process 1 of a container we also inherit children that we do not know.
bool Master::is_ours(pid_t pid) const {
  return pid == gateway_.pid() || pools_.owns(pid);
}

void Master::on_child_exited(pid_t pid, int wait_status) {
  const TimePoint now = current_time();
  // What the gateway has said of this process comes first.
  on_messages();
  if (pid == gateway_.pid()) {
    on_gateway_exited(wait_status, now);
    return;
  }
  reconfiguration_.on_exited(pid);
  pools_.on_exited(pid, wait_status, now);
}

void Master::on_gateway_exited(int wait_status, TimePoint now) {
  const std::string object = gateway_.object();
  const std::string what =
      concat(describe_exit(wait_status), ", after ",
             duration_text(std::chrono::duration_cast<Milliseconds>(now - gateway_.started())));
  const Milliseconds delay = gateway_.on_exited(now);
  // One that has never got ready would not the next time either.
  const bool is_hopeless = phase_ == Phase::booting && !gateway_ready_;
  gateway_ready_ = false;
  watch_.end();
  if (is_hopeless) {
    fail_boot({ExitStatus::bug, concat(object, " ", what)});
  } else if (phase_ <= Phase::serving) {
    const std::string when = delay.count() == 0 ? "" : concat(" in ", duration_text(delay));
    log_line(LogLevel::error, object, concat(what, "; replacing it and all workers", when));
    gateway_due_ = now + delay;
    pools_.abandon(now);
  } else if (phase_ == Phase::stopping && !exited_cleanly(wait_status)) {
    log_line(LogLevel::error, object, what);
  }
}

}  // namespace pycgid
