// The commands of option "on-exit", see exit_hooks.h.
#include "daemon/master/exit_hooks.h"

#include "daemon/log.h"
#include "daemon/master/exit_text.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

std::string name_of(const EndedWorker& worker) {
  return concat(worker.plan->pool.name, "/", worker.number);
}

std::string object_of(const EndedWorker& worker) {
  return concat(name_of(worker), "[", worker.pid, "]");
}

std::string option_of(const EndedWorker& worker) {
  return worker.plan->pool.places.text("on-exit");
}

std::string hook_object(const EndedWorker& worker, pid_t pid) {
  return concat(name_of(worker), "/on-exit[", pid, "]");
}

}  // namespace

std::chrono::milliseconds exit_time(const PoolSettings& pool) {
  const ExitHooks::Limits limits;
  return pool.on_exit.empty() ? Milliseconds{0} : limits.deadline + limits.most_wait;
}

void ExitHooks::remember(std::uint32_t generation, const WorkerPlan& plan) {
  if (plan.pool.on_exit.empty() || plans_.contains(generation)) return;
  plans_[generation] =
      std::make_shared<const ExitPlan>(ExitPlan{plan.pool, plan.command, plan.credentials});
}

void ExitHooks::forget(const PoolSupervisor& workers) {
  std::erase_if(plans_, [&](const auto& plan) {
    const std::uint32_t generation = plan.first;
    return generation != workers.serving() && generation + 1 < workers.next_generation() &&
           std::ranges::find(workers.workers(), generation, &WorkerProcess::generation) ==
               workers.workers().end();
  });
}

std::shared_ptr<const ExitPlan> ExitHooks::plan_of(std::uint32_t generation) const {
  const auto found = plans_.find(generation);
  return found == plans_.end() ? nullptr : found->second;
}

void ExitHooks::on_worker_exited(EndedWorker worker, TimePoint now) {
  if (!worker.plan || ended_) return;
  waiting_.push_back({std::move(worker), now + limits_.most_wait});
  start_waiting(now);
}

void ExitHooks::start_waiting(TimePoint now) {
  while (!waiting_.empty() && running_.size() < limits_.most_at_once) {
    EndedWorker worker = std::move(waiting_.front().worker);
    waiting_.pop_front();
    start(std::move(worker), now);
  }
}

void ExitHooks::start(EndedWorker worker, TimePoint now) {
  Running hook{.worker = std::move(worker), .due = now + limits_.deadline};
  const std::string wrong = start_exit_command(hook.worker, hook.pid, hook.output);
  if (!wrong.empty()) {
    return log_line(LogLevel::error, object_of(hook.worker),
                    concat("its command does not run: ", wrong, " ", option_of(hook.worker)));
  }
  running_.push_back(std::move(hook));
}

bool ExitHooks::owns(pid_t pid) const {
  return std::ranges::find(running_, pid, &Running::pid) != running_.end();
}

void ExitHooks::on_exited(pid_t pid, int wait_status, TimePoint now) {
  const auto found = std::ranges::find(running_, pid, &Running::pid);
  if (found == running_.end()) return;
  Running hook = std::move(*found);
  running_.erase(found);
  read_output(hook);
  log_last_line(hook);
  const std::string object = hook_object(hook.worker, hook.pid);
  if (hook.killed) {
    log_line(LogLevel::warning, object,
             concat("was killed: the command for the end of ", object_of(hook.worker),
                    " did not end within ", duration_text(limits_.deadline), " ",
                    option_of(hook.worker)));
  } else if (!ended_ && !exited_cleanly(wait_status)) {
    log_line(LogLevel::warning, object,
             concat("the command for the end of ", object_of(hook.worker), " ",
                    describe_exit(wait_status), " ", option_of(hook.worker)));
  }
  start_waiting(now);
}

std::vector<int> ExitHooks::fds() const {
  std::vector<int> fds;
  for (const Running& hook : running_) {
    if (hook.output) fds.push_back(hook.output.get());
  }
  return fds;
}

void ExitHooks::on_readable(int fd) {
  for (Running& hook : running_) {
    if (hook.output && hook.output.get() == fd) read_output(hook);
  }
}

// No more than a pipe holds: one that writes without end does not keep the master.
void ExitHooks::read_output(Running& hook) const {
  constexpr int kMostReads = 16;
  std::array<char, 4096> chunk;
  for (int count = 0; count < kMostReads && hook.output; ++count) {
    const ssize_t got = ::read(hook.output.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return hook.output.reset();
    take(hook, {chunk.data(), static_cast<std::size_t>(got)});
  }
}

void ExitHooks::take(Running& hook, std::string_view text) const {
  constexpr std::size_t kMostLine = 8192;
  const std::size_t before = hook.taken;
  hook.taken += text.size();
  if (before >= limits_.most_output) return;
  hook.line += text;
  std::size_t begin = 0;
  for (std::size_t end; (end = hook.line.find('\n', begin)) != std::string::npos; begin = end + 1) {
    log_line(LogLevel::notice, hook_object(hook.worker, hook.pid),
             std::string_view(hook.line).substr(begin, end - begin));
  }
  hook.line.erase(0, begin);
  if (hook.line.size() > kMostLine) log_last_line(hook);
  if (hook.taken < limits_.most_output) return;
  log_last_line(hook);
  log_line(LogLevel::warning, hook_object(hook.worker, hook.pid),
           concat("writes more than ", limits_.most_output, " bytes, the rest is not logged ",
                  option_of(hook.worker)));
}

void ExitHooks::log_last_line(Running& hook) {
  if (hook.line.empty()) return;
  log_line(LogLevel::notice, hook_object(hook.worker, hook.pid), std::exchange(hook.line, {}));
}

void ExitHooks::on_time(TimePoint now) {
  for (Running& hook : running_) {
    if (!hook.killed && hook.due <= now) {
      hook.killed = true;
      kill(hook);
    }
  }
  while (!waiting_.empty() && waiting_.front().due <= now) {
    const EndedWorker& worker = waiting_.front().worker;
    log_line(LogLevel::warning, object_of(worker),
             concat("its command did not run, as those of other workers took all of ",
                    duration_text(limits_.most_wait), " ", option_of(worker)));
    waiting_.pop_front();
  }
}

std::optional<TimePoint> ExitHooks::next_due() const {
  std::optional<TimePoint> next;
  for (const Running& hook : running_) {
    if (!hook.killed && (!next || hook.due < *next)) next = hook.due;
  }
  if (!waiting_.empty() && (!next || waiting_.front().due < *next)) next = waiting_.front().due;
  return next;
}

// It has no group yet in its first instant.
void ExitHooks::kill(const Running& hook) {
  if (::kill(-hook.pid, SIGKILL) != 0) ::kill(hook.pid, SIGKILL);
}

void ExitHooks::end_at_once() {
  ended_ = true;
  waiting_.clear();
  for (const Running& hook : running_) kill(hook);
}

}  // namespace pycgid
