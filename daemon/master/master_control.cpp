// What pycgidctl(8) has the master do and tell, and reloads. Part of Master, see master.h.
#include "daemon/log.h"
#include "daemon/master/master.h"
#include "daemon/text.h"

#include <algorithm>
#include <chrono>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

std::string_view state_word(WorkerState state) {
  switch (state) {
    case WorkerState::starting:
      return "starting";
    case WorkerState::warming:
      return "warming";
    case WorkerState::ready:
      return "ready";
    case WorkerState::draining:
    case WorkerState::cut:
      return "draining";
    case WorkerState::ending:
      break;
  }
  return "ending";
}

WorkerReport report_of(const WorkerProcess& worker, TimePoint now) {
  WorkerReport report;
  report.name = worker.name();
  report.pid = worker.pid();
  report.state = state_word(worker.state());
  report.generation = worker.generation();
  report.age = std::chrono::duration_cast<Milliseconds>(now - worker.started());
  report.memory = resident_memory(worker.pid());
  report.cpu = cpu_time(worker.pid());
  return report;
}

PoolReport report_of(const ManagedPool& pool, TimePoint now) {
  PoolReport report{.name = pool.settings().name,
                    .start = std::chrono::system_clock::now(),
                    .state = pool.workers().state(),
                    .failure = pool.failure() ? pool.failure()->text : "",
                    .figures = {},
                    .failures = {},
                    .timeouts = {},
                    .queue_time = {},
                    .duration = {},
                    .workers = {}};
  for (const WorkerProcess& worker : pool.workers().workers()) {
    report.workers.push_back(report_of(worker, now));
  }
  return report;
}

}  // namespace

pid_t Master::answering_gateway() const {
  return gateway_ready_ ? gateway_.pid() : -1;
}

void Master::ask_gateway(std::uint32_t number, const std::string& form) {
  Message message;
  message.type = MessageType::question;
  message.worker = number;
  message.text = encode(Question{.form = form, .master = ::getpid(), .started = started_});
  gateway_.send(message);
}

DaemonReport Master::own_report(const std::string& problem) const {
  const TimePoint now = std::chrono::steady_clock::now();
  DaemonReport report{.version = PYCGID_VERSION,
                      .master = ::getpid(),
                      .gateway = gateway_.pid(),
                      .started = started_,
                      .problem = problem,
                      .pools = {}};
  for (const auto& pool : pools_) {
    if (!pool->is_removed()) report.pools.push_back(report_of(*pool, now));
  }
  return report;
}

// While the gateway is being replaced there is nobody to tell.
void Master::reload() {
  if (phase_ == Phase::stopping || phase_ == Phase::ending) return;
  if (gateway_ready_) {
    service_.reload_began();
    on_reread(reconfiguration_.begin(std::chrono::steady_clock::now()));
  } else {
    reload_wanted_ = true;
  }
}

void Master::on_reread(std::string complaint) {
  reload_complaint_ = std::move(complaint);
  if (!reload_complaint_.empty()) service_.reload_refused();
}

void Master::advance_reload(TimePoint now) {
  if (!reconfiguration_.has_looked(now)) return;
  if (gateway_ready_) return on_reread(reconfiguration_.finish(now));
  reconfiguration_.cancel();
  reload_wanted_ = true;
}

std::string Master::reopen_logs() {
  const std::string wrong = logs_.reopen();
  send_logs();
  log_notice(wrong.empty() ? "logs were opened anew" : "not all logs were opened anew");
  return wrong;
}

std::string Master::begin_reload(const std::string& name) {
  if (phase_ == Phase::stopping || phase_ == Phase::ending) return "the daemon is stopping";
  if (name.empty()) {
    reload();
    return {};
  }
  ManagedPool* pool = pools_.find(name);
  if (pool == nullptr) return concat("there is no pool ", in_quotes(name));
  if (!gateway_ready_ && phase_ == Phase::booting && !gateway_due_) {
    return concat("pool ", in_quotes(name), " is starting; try again when it has");
  }
  if (!gateway_ready_) return "the gateway and all workers are being replaced; try again";
  pool->reload(std::chrono::steady_clock::now());
  return {};
}

std::optional<ReloadResult> Master::reload_result(const std::string& name) const {
  if (name.empty() && (reload_wanted_ || reconfiguration_.is_looking())) return std::nullopt;
  if (name.empty() && !reload_complaint_.empty()) {
    return ReloadResult{false, reload_complaint_ + "; the old configuration stays in force\n"};
  }
  std::string done;
  std::string failed;
  for (const auto& pool : pools_) {
    if (pool->is_removed() || (!name.empty() && pool->settings().name != name)) continue;
    if (!pool->is_settled()) return std::nullopt;
    const std::string who = concat("pool ", in_quotes(pool->settings().name), ": ");
    const std::uint32_t serving = pool->workers().state().serving;
    const std::string wrong = pool->failure() ? pool->failure()->text : pool->reload_failure();
    if (wrong.empty()) {
      done += concat(who, "generation ", serving, " serves\n");
    } else if (serving == 0) {
      failed += concat(who, wrong, "; it does not serve\n");
    } else {
      failed += concat(who, wrong, "; generation ", serving, " goes on\n");
    }
  }
  return ReloadResult{failed.empty(), failed.empty() ? done : failed};
}

}  // namespace pycgid
