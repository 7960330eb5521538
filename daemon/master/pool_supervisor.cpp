// The workers of one pool and their generations, see pool_supervisor.h.
#include "daemon/master/pool_supervisor.h"

#include "daemon/gateway/worker_end.h"
#include "daemon/log.h"
#include "daemon/master/exit_text.h"
#include "daemon/text.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace pycgid {
namespace {

// Until the next worker is started: longer ones are not worth waiting for in the queue.
constexpr Milliseconds kLongPause{1000};
// Workers in a row that ended before they were ready: more than bad luck.
constexpr unsigned kFalseStarts = 4;

Milliseconds since(TimePoint then, TimePoint now) {
  return std::chrono::duration_cast<Milliseconds>(now - then);
}

}  // namespace

void PoolSupervisor::boot(TimePoint now) {
  start_failure_.reset();
  start_candidate(now);
}

void PoolSupervisor::reload(TimePoint now) {
  if (stopping_) return;
  if (candidate_ != 0) {
    reload_again_ = true;
    return;
  }
  log_notice(concat("reloading pool ", in_quotes(settings_.name), ": starting generation ",
                    last_generation_ + 1));
  start_candidate(now);
}

void PoolSupervisor::start_candidate(TimePoint now) {
  const std::uint32_t generation = ++last_generation_;
  candidate_ = generation;
  tell_state();
  candidate_size_ = PoolScaling::size_of_next(settings_of(generation), staff());
  for (std::uint32_t number = 1; number <= candidate_size_; ++number) {
    const std::string wrong = start_worker(number, generation, now);
    if (wrong.empty()) continue;
    give_up_candidate(ExitStatus::system, wrong, now);
    return;
  }
}

std::string PoolSupervisor::start_worker(std::uint32_t number, std::uint32_t generation,
                                         TimePoint now) {
  SpawnedWorker process;
  std::string wrong = host_.spawn(index_, generation, number, process);
  if (!wrong.empty()) return wrong;
  WorkerProcess& worker = workers_.emplace_back(
      std::move(process), concat(settings_.name, "/", number), number, generation);
  worker.start(now, settings_of(generation).start_timeout);
  if (worker.is_forked()) introduce(worker);
  return {};
}

void PoolSupervisor::on_status_readable(int status_fd, TimePoint now) {
  const auto worker = std::ranges::find(workers_, status_fd, &WorkerProcess::status_fd);
  if (worker != workers_.end()) read_status(*worker, now);
}

void PoolSupervisor::read_status(WorkerProcess& worker, TimePoint now) {
  const std::optional<std::string> line = worker.read_status();
  if (!line || worker.state() != WorkerState::starting) return;
  if (*line == "ready") {
    on_loaded(worker, now);
    return;
  }
  const StartupError complaint = parse_complaint(*line, settings_.places);
  worker.blame(complaint.status, complaint.text);
  kill(worker);
}

void PoolSupervisor::on_loaded(WorkerProcess& worker, TimePoint now) {
  pyhost::ChannelFds channel = worker.take_channel();
  std::vector<pyhost::UniqueFd> fds;
  fds.push_back(std::move(channel.memory));
  fds.push_back(std::move(channel.bell));
  fds.push_back(std::move(channel.passing));
  tell(MessageType::worker_ready, worker, {}, std::move(fds));
  if (settings_of(worker.generation()).warmup.empty()) {
    on_ready(worker, now);
  } else {
    worker.move_to(WorkerState::warming, worker.due());
  }
}

void PoolSupervisor::on_warm(std::uint32_t id, TimePoint now) {
  const auto worker = std::ranges::find(workers_, id, &WorkerProcess::id);
  if (worker == workers_.end() || worker->state() != WorkerState::warming) return;
  on_ready(*worker, now);
}

void PoolSupervisor::on_warmup_failed(std::uint32_t id, std::string_view why) {
  const auto worker = std::ranges::find(workers_, id, &WorkerProcess::id);
  if (worker == workers_.end() || worker->state() != WorkerState::warming) return;
  worker->blame(ExitStatus::temporary, why);
  kill(*worker);
}

void PoolSupervisor::on_ready(WorkerProcess& worker, TimePoint now) {
  worker.move_to(WorkerState::ready, std::nullopt);
  if (worker.generation() == serving_) {
    scaling_.start_succeeded();
    relieve(worker.number(), now);
    if (refusing_) tell_pool(MessageType::take_over);
  }
  log_line(LogLevel::info, worker.object(),
           concat("ready after ", duration_text(since(worker.started(), now))));
  false_starts_ = 0;
  const auto is_ready_candidate = [this](const WorkerProcess& other) {
    return other.generation() == candidate_ && other.state() == WorkerState::ready;
  };
  if (candidate_ != 0 && std::ranges::count_if(workers_, is_ready_candidate) ==
                             static_cast<std::ptrdiff_t>(candidate_size_)) {
    take_over(now);
  }
}

void PoolSupervisor::take_over(TimePoint now) {
  const bool first = serving_ == 0;
  serving_ = std::exchange(candidate_, 0);
  host_.on_take_over(index_);
  replacements_.clear();
  backoffs_.clear();
  scaling_.forget_reports();
  tell_pool(MessageType::take_over);
  for (WorkerProcess& worker : workers_) {
    if (worker.generation() != serving_) retire(worker, now);
  }
  replace_worn_at_birth(now);
  if (!first) {
    log_notice(concat("reloaded pool ", in_quotes(settings_.name), ": generation ", serving_,
                      " serves, ", candidate_size_, " workers"));
    note_outcome(true, serving_, {}, now);
  } else {
    tell_state();
  }
  if (std::exchange(reload_again_, false)) reload(now);
}

void PoolSupervisor::give_up_candidate(ExitStatus status, const std::string& why, TimePoint now) {
  const std::uint32_t given_up = std::exchange(candidate_, 0);
  for (WorkerProcess& worker : workers_) {
    if (worker.generation() == given_up) kill(worker);
  }
  if (serving_ == 0) {
    reload_again_ = false;
    start_failure_ = StartupError{status, why};
    tell_state();
    return;
  }
  note_outcome(false, given_up, why, now);
  log_error(concat("reload failed: ", why, "; generation ", serving_, " goes on",
                   next_ != nullptr ? " with the old settings" : ""));
  if (std::exchange(reload_again_, false)) reload(now);
}

void PoolSupervisor::cancel_start() {
  const std::uint32_t cancelled = std::exchange(candidate_, 0);
  reload_again_ = false;
  start_failure_.reset();
  for (WorkerProcess& worker : workers_) {
    if (cancelled != 0 && worker.generation() == cancelled) kill(worker);
  }
}

void PoolSupervisor::stop(TimePoint now) {
  stopping_ = true;
  replacements_.clear();
  if (candidate_ != 0 && serving_ != 0) {
    note_outcome(false, candidate_, "the daemon is stopping", now);
  }
  for (WorkerProcess& worker : workers_) {
    if (worker.generation() == candidate_) {
      kill(worker);
    } else {
      retire(worker, now);
    }
  }
  candidate_ = 0;
  reload_again_ = false;
}

void PoolSupervisor::kill_all() {
  stopping_ = true;
  reload_again_ = false;
  candidate_ = 0;
  replacements_.clear();
  for (WorkerProcess& worker : workers_) kill(worker);
}

void PoolSupervisor::on_violation(std::uint32_t id, std::string_view why) {
  const auto worker = std::ranges::find(workers_, id, &WorkerProcess::id);
  if (worker == workers_.end() || worker->state() == WorkerState::ending) return;
  worker->blame(ExitStatus::bug, concat("was killed: ", why));
  kill(*worker);
}

bool PoolSupervisor::owns(pid_t pid) const {
  return std::ranges::find(workers_, pid, &WorkerProcess::pid) != workers_.end();
}

void PoolSupervisor::on_exited(pid_t pid, int wait_status, TimePoint now) {
  const auto found = std::ranges::find(workers_, pid, &WorkerProcess::pid);
  if (found == workers_.end()) return;
  // Its last words may still be in the pipe.
  read_status(*found, now);
  const WorkerProcess worker = std::move(*found);
  workers_.erase(found);
  report_end(worker, wait_status, now);
}

void PoolSupervisor::report_end(const WorkerProcess& worker, int wait_status, TimePoint now) {
  const Milliseconds lived = since(worker.started(), now);
  std::string what = worker.fault();
  if (what.empty()) {
    what = describe_exit(wait_status);
    what += worker.was_ready() ? concat(", after ", duration_text(lived)) : " before it was ready";
  }
  if (worker.generation() == candidate_) {
    tell(MessageType::worker_exited, worker, {});
    const StartupError early = early_end(settings_of(candidate_), worker.object(), wait_status,
                                         worker.was_ready() || has_begun(worker));
    const bool is_told = !worker.fault().empty();
    give_up_candidate(is_told ? worker.fault_status() : early.status, is_told ? what : early.text,
                      now);
  } else if (worker.generation() == serving_ && !stopping_ && !worker.was_retired()) {
    if (!worker.was_ready()) ++false_starts_;
    log_end(worker, LogLevel::error, what,
            is_extra(worker) ? extra_failed(now) : replace(worker.number(), lived, now));
  } else {
    const bool expected = exited_cleanly(wait_status) || worker.state() == WorkerState::ending;
    log_end(worker, expected ? LogLevel::info : LogLevel::warning, what, {});
  }
}

// One line has it all: the gateway writes it, which adds the requests that were lost.
void PoolSupervisor::log_end(const WorkerProcess& worker, LogLevel level, const std::string& what,
                             const std::string& then) {
  const bool gateway_writes = host_.has_gateway();
  tell(MessageType::worker_exited, worker,
       gateway_writes ? end_text(level, worker.object(), what, then) : std::string());
  if (!gateway_writes) log_line(level, worker.object(), what + then);
}

// Says what comes next, for the end of a line.
std::string PoolSupervisor::replace(std::uint32_t number, Milliseconds lived, TimePoint now) {
  note_death();
  if (has_successor(number)) return "; its replacement is on its way";
  const Milliseconds delay = backoffs_[number].after_death(lived);
  replacements_.push_back({number, now + delay});
  refuse_if_forlorn(delay);
  return concat("; replacing it", delay.count() == 0 ? "" : concat(" in ", duration_text(delay)));
}

// A short pause is waited out in the queue, and so is a longer one as long as workers do get ready.
void PoolSupervisor::refuse_if_forlorn(Milliseconds delay) {
  const auto lives = [this](const WorkerProcess& worker) {
    return worker.generation() == serving_ && worker.state() <= WorkerState::ready;
  };
  if (delay < kLongPause || false_starts_ < kFalseStarts) return;
  if (std::ranges::any_of(workers_, lives)) return;
  refusing_ = true;
  host_.tell_gateway({.type = MessageType::refuse,
                      .pool = index_,
                      .text = "its workers end before they are ready"});
}

bool PoolSupervisor::has_successor(std::uint32_t number) const {
  const auto succeeds = [&](const WorkerProcess& worker) {
    return worker.number() == number && worker.generation() == serving_ && !worker.is_worn() &&
           worker.state() <= WorkerState::ready;
  };
  return std::ranges::any_of(workers_, succeeds) ||
         std::ranges::find(replacements_, number, &Replacement::number) != replacements_.end();
}

void PoolSupervisor::on_time(TimePoint now) {
  for (WorkerProcess& worker : workers_) {
    if (worker.due() && *worker.due() <= now) on_overdue(worker, now);
  }
  check_wear(now);
  start_replacements(now);
}

void PoolSupervisor::start_replacements(TimePoint now) {
  const auto due = std::stable_partition(
      replacements_.begin(), replacements_.end(),
      [now](const Replacement& replacement) { return replacement.due > now; });
  const std::vector<Replacement> starting(due, replacements_.end());
  replacements_.erase(due, replacements_.end());
  for (const Replacement& replacement : starting) {
    const std::string wrong = start_worker(replacement.number, serving_, now);
    if (wrong.empty()) continue;
    log_line(LogLevel::error, concat(settings_.name, "/", replacement.number),
             wrong + replace(replacement.number, {}, now));
  }
}

std::optional<TimePoint> PoolSupervisor::next_due() const {
  std::optional<TimePoint> next;
  const auto consider = [&next](TimePoint due) { next = next ? std::min(*next, due) : due; };
  for (const WorkerProcess& worker : workers_) {
    if (worker.due()) consider(*worker.due());
  }
  for (const Replacement& replacement : replacements_) consider(replacement.due);
  if (const auto wear = next_wear()) consider(*wear);
  return next;
}

std::vector<int> PoolSupervisor::status_fds() const {
  std::vector<int> fds;
  for (const WorkerProcess& worker : workers_) {
    if (worker.status_fd() >= 0) fds.push_back(worker.status_fd());
  }
  return fds;
}

void PoolSupervisor::tell(MessageType type, const WorkerProcess& worker, std::string text,
                          std::vector<pyhost::UniqueFd> fds) {
  host_.tell_gateway({.type = type,
                      .worker = worker.id(),
                      .pid = worker.pid(),
                      .pool = index_,
                      .generation = worker.generation(),
                      .text = std::move(text),
                      .fds = std::move(fds)});
}

void PoolSupervisor::tell_pool(MessageType type) {
  if (type == MessageType::take_over) refusing_ = false;
  host_.tell_gateway({.type = type, .pool = index_, .generation = serving_});
}

}  // namespace pycgid
