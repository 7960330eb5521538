// The templates of one pool, see pool_templates.h.
#include "daemon/master/pool_templates.h"

#include "daemon/log.h"
#include "daemon/master/exit_text.h"
#include "daemon/text.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iterator>
#include <utility>

namespace pycgid {

std::string PoolTemplates::order(const WorkerPlan& plan, std::uint32_t number,
                                 std::uint32_t generation, SpawnedWorker& worker) {
  const auto serves = [generation](const TemplateProcess& each) {
    return each.generation() == generation && each.takes_orders();
  };
  if (std::ranges::none_of(templates_, serves)) {
    if (std::string wrong = start(plan, generation); !wrong.empty()) return wrong;
  }
  std::ranges::find_if(templates_, serves)->order(worker.id, number);
  return {};
}

std::string PoolTemplates::start(const WorkerPlan& plan, std::uint32_t generation) {
  SpawnedTemplate spawned;
  spawned.process.id = host_.next_id();
  if (std::string wrong = spawn_template(plan, spawned); !wrong.empty()) return wrong;
  TemplateProcess& process = templates_.emplace_back(std::move(spawned), plan.pool, generation,
                                                     std::chrono::steady_clock::now());
  std::vector<pyhost::UniqueFd> fds;
  fds.push_back(process.take_output());
  fds.push_back(process.take_log());
  tell(MessageType::worker_started, process, process.name(), std::move(fds));
  log_line(LogLevel::debug, process.object(), concat("started, generation ", generation));
  return {};
}

void PoolTemplates::give_up(std::uint32_t worker) {
  for (TemplateProcess& process : templates_) {
    if (!process.has_order(worker)) continue;
    // Without a process that could be killed the worker itself is stuck, half forked; it ends when
    // it finds the link closed.
    if (process.has_ended()) process.cancel_orders({ExitStatus::bug, "was not forked in time"});
    kill(process);
  }
}

std::vector<int> PoolTemplates::fds() const {
  std::vector<int> fds;
  for (const TemplateProcess& process : templates_) {
    for (int fd : process.fds()) fds.push_back(fd);
  }
  return fds;
}

void PoolTemplates::hear(TimePoint now) {
  std::vector<TemplateProcess::Outcome> outcomes;
  for (TemplateProcess& process : templates_) {
    if (process.hear(now)) kill(process);
    std::ranges::move(process.take_outcomes(), std::back_inserter(outcomes));
  }
  templates_.remove_if([](const TemplateProcess& process) { return process.is_over(); });
  for (TemplateProcess::Outcome& outcome : outcomes) {
    if (outcome.failure) {
      workers_.on_not_forked(outcome.worker.id, *outcome.failure, now);
    } else {
      workers_.on_forked(std::move(outcome.worker));
    }
  }
}

bool PoolTemplates::has_news() const {
  return std::ranges::any_of(templates_, &TemplateProcess::has_outcomes);
}

void PoolTemplates::tidy() {
  for (TemplateProcess& process : templates_) {
    if (!workers_.needs_template(process.generation())) kill(process);
  }
}

bool PoolTemplates::owns(pid_t pid) const {
  return std::ranges::any_of(templates_, [pid](const TemplateProcess& process) {
    return !process.has_ended() && process.pid() == pid;
  });
}

void PoolTemplates::on_exited(pid_t pid, int wait_status, TimePoint now) {
  for (TemplateProcess& process : templates_) {
    if (process.has_ended() || process.pid() != pid) continue;
    const std::string unexpected = process.on_exited(wait_status, now);
    tell(MessageType::worker_exited, process, {});
    if (unexpected.empty()) {
      log_line(LogLevel::debug, process.object(), describe_exit(wait_status));
    } else {
      log_line(LogLevel::error, process.object(),
               concat(unexpected, "; its workers go on, another is started when one is needed"));
    }
  }
}

void PoolTemplates::kill_all() {
  for (TemplateProcess& process : templates_) {
    if (process.has_ended()) process.cancel_orders({ExitStatus::ok, "the daemon ends"});
    kill(process);
  }
}

void PoolTemplates::kill(TemplateProcess& process) {
  if (process.has_ended() || process.is_doomed()) return;
  process.doom();
  host_.signal_group(process.pid(), SIGKILL);
}

void PoolTemplates::tell(MessageType type, const TemplateProcess& process, std::string text,
                         std::vector<pyhost::UniqueFd> fds) {
  host_.tell_gateway({.type = type,
                      .worker = process.id(),
                      .pid = process.pid(),
                      .pool = index_,
                      .generation = process.generation(),
                      .text = std::move(text),
                      .fds = std::move(fds)});
}

}  // namespace pycgid
