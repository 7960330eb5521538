// The template's forks, see forking.h. A worker is forked by way of a process in between, which
// ends at once: so the worker becomes the child of the master, which is a subreaper.
//
// Of master, template, the process in between and the worker, each may be killed at any instant.
// Until the worker has reported itself to the master it ends by itself when anything is wrong;
// afterwards it is the master's like any other.
#include "pyhost/forking.h"

#include "pyhost/exception_log.h"
#include "pyhost/gil.h"
#include "pyhost/log_lines.h"
#include "pyhost/own_fds.h"
#include "pyhost/short_text.h"
#include "pyhost/worker_signals.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>
#include <sys/wait.h>
#include <utility>

namespace pyhost {
namespace {

struct Family {
  pid_t master = -1;
  pid_t middle = -1;
};

// For the worker's status pipe: the only line that comes when there is no worker.
void complain(const WorkerSide& side, int error) {
  ShortText text("error 71 cannot fork a worker: ");
  const std::string_view line = text.append(std::strerror(error)).append("\n");
  [[maybe_unused]] const ssize_t written = ::write(side.status.get(), line.data(), line.size());
}

void nap() {
  constexpr timespec kShort{0, 50'000};
  ::nanosleep(&kShort, nullptr);
}

// The process in between has nothing left to do but to end, then the kernel gives the worker to the
// master. No signal and no descriptor tells of that instant, so it is looked for.
bool become_masters_child(const Family& family) {
  while (::getppid() == family.middle) nap();
  // Only now: it would have meant the process in between.
  return take_signals_forked(family.master);
}

// In the worker, before any Python runs in it. Ends it when it cannot become one.
void become_worker(const Family& family, UniqueFd orders, ForkOrder& order) {
  // The master kills what is left of a template by its session.
  ::setsid();
  if (!become_masters_child(family) || !send_forked(orders.get(), order.id)) ::_exit(1);
  ::dup2(order.side.output.get(), STDOUT_FILENO);
  ::dup2(order.side.output.get(), STDERR_FILENO);
  order.side.output.reset();
  for (UniqueFd* fd : {&order.side.status, &order.side.log, &order.side.channel.memory,
                       &order.side.channel.bell, &order.side.channel.passing}) {
    move_away(*fd);
  }
  set_log_socket(order.side.log.release());
}

// In the process in between. Returns in the worker only.
void fork_and_end(Family& family, const WorkerSide& side) {
  family.middle = ::getpid();
  const pid_t worker = ::fork();
  if (worker == 0) return;
  if (worker < 0) complain(side, errno);
  ::_exit(0);
}

void wait_for(pid_t middle) {
  const Detach detach;
  while (::waitpid(middle, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// True in the worker.
bool fork_worker(pid_t master, UniqueFd& orders, ForkOrder& order) {
  Family family{master, -1};
  const HeldSignals held;
  PyOS_BeforeFork();
  const pid_t middle = ::fork();
  if (middle == 0) {
    fork_and_end(family, order.side);
    become_worker(family, std::move(orders), order);
    PyOS_AfterFork_Child();
    return true;
  }
  const int error = errno;
  PyOS_AfterFork_Parent();
  if (middle < 0) {
    complain(order.side, error);
  } else {
    wait_for(middle);
  }
  return false;
}

// What this thread has printed of a line is the template's, not each worker's.
void flush_lines() {
  const Detach detach;
  flush_log(LogStream::out);
  flush_log(LogStream::err);
}

Received next_order(int orders, ForkOrder& order) {
  const Detach detach;
  return receive_order(orders, order);
}

}  // namespace

Forking fork_workers(const ModuleState& state, UniqueFd orders, ForkOrder& order) {
  const pid_t master = ::getppid();
  for (;;) {
    flush_lines();
    if (!is_ours(orders.get())) end_without("link to the master");
    const Received received = next_order(orders.get(), order);
    if (received == Received::closed) return Forking::is_over;
    if (PyErr_CheckSignals() != 0) log_exception(state, "a signal handler failed");
    if (received == Received::nothing) continue;
    if (fork_worker(master, orders, order)) return Forking::is_worker;
    order = {};
  }
}

}  // namespace pyhost
