// One pool as the master runs it, see managed_pool.h.
#include "daemon/master/managed_pool.h"

#include "daemon/log.h"
#include "daemon/master/failure_text.h"
#include "daemon/master/pool_tls.h"
#include "daemon/master/worker_spawn.h"
#include "daemon/text.h"

#include <algorithm>
#include <fcntl.h>
#include <iterator>
#include <system_error>
#include <utility>

namespace pycgid {
ManagedPool::ManagedPool(const PoolContext& context, PoolConfig config, std::uint32_t id)
    : context_(context),
      id_(id),
      plan_{.config = std::move(config)},
      workers_(plan_.config.settings, id, context.host),
      templates_(id, context.host, workers_) {}

// What the sockets need.
void ManagedPool::admit(Plan& plan) const {
  const PoolSettings& settings = plan.config.settings;
  const bool is_loaded = plan_.tls && has_same_tls(settings, plan_.config.settings);
  plan.tls = is_loaded ? plan_.tls : load_tls(settings);
  plan.credentials = worker_credentials(settings);
}

void ManagedPool::prepare(std::list<BoundSocket> offers) {
  if (plan_.command || looking_) return;
  attempted_ = true;
  // Whatever goes wrong: who hears of a failed attempt finds its reason.
  auto wrong = failure_of([&] { begin_start(std::move(offers)); });
  if (wrong) failure_ = std::move(wrong);
}

void ManagedPool::begin_start(std::list<BoundSocket> offers) {
  take_offered(settings(), offers);
  add_sockets(std::exchange(new_sockets_, {}));
  Plan plan = plan_;
  std::optional<StartupError> wrong = failure_of([&] { admit(plan); });
  // A gateway that is started before the look is over needs it, too; one that runs has it after the
  // first attempt.
  const bool new_tls = plan.tls != plan_.tls;
  plan_.tls = plan.tls;
  if (new_tls) send_tls();
  const std::vector<Address> fresh = unbound(settings());
  // Whatever is missing, requests get an answer.
  std::optional<StartupError> unbound_why = failure_of([&] { bind_what_answers(); });
  if (!wrong) wrong = std::move(unbound_why);
  if (wrong) throw StartupError(std::move(*wrong));
  begin_look(std::move(plan), Purpose::start, fresh);
}

void ManagedPool::boot(TimePoint now) {
  if (!plan_.command || workers_.is_serving() || workers_.has_candidate()) return;
  attempted_ = true;
  workers_.boot(now);
}

std::string ManagedPool::spawn(std::uint32_t generation, std::uint32_t number,
                               SpawnedWorker& worker) try {
  const bool is_next = next_ && generation > workers_.serving();
  const Plan& plan = is_next ? *next_ : plan_;
  const WorkerPlan all{plan.config.settings, *plan.command, plan.credentials};
  exit_hooks_.forget(workers_);
  exit_hooks_.remember(generation, all);
  if (plan.config.settings.preload) return templates_.order(all, number, generation, worker);
  return spawn_worker(all, number, worker);
} catch (const std::exception& error) {
  return concat("cannot start a worker: ", error.what());
}

std::vector<int> ManagedPool::fds() const {
  std::vector<int> fds = workers_.status_fds();
  if (looking_ && looking_->look->fd() >= 0) fds.push_back(looking_->look->fd());
  std::ranges::copy(templates_.fds(), std::back_inserter(fds));
  std::ranges::copy(exit_hooks_.fds(), std::back_inserter(fds));
  return fds;
}

void ManagedPool::on_readable(int fd, TimePoint now) {
  workers_.on_status_readable(fd, now);
  exit_hooks_.on_readable(fd);
}

EndedWorker ManagedPool::ended_worker(pid_t pid, int wait_status) const {
  const auto worker = std::ranges::find(workers_.workers(), pid, &WorkerProcess::pid);
  if (worker == workers_.workers().end()) return {};
  return {exit_hooks_.plan_of(worker->generation()), worker->number(), pid, wait_status};
}

void ManagedPool::on_exited(pid_t pid, int wait_status, TimePoint now) {
  if (looking_) looking_->look->on_exited(pid);
  const EndedWorker ended = ended_worker(pid, wait_status);
  if (templates_.owns(pid)) templates_.on_exited(pid, wait_status, now);
  if (workers_.owns(pid)) workers_.on_exited(pid, wait_status, now);
  if (exit_hooks_.owns(pid)) exit_hooks_.on_exited(pid, wait_status, now);
  exit_hooks_.on_worker_exited(ended, now);
}

ManagedPool::News ManagedPool::news() {
  if (!attempted_ || looking_) return News::none;
  if (workers_.start_failure()) failure_ = workers_.start_failure();
  if (!plan_.command || workers_.start_failure()) {
    attempted_ = false;
    return News::failed;
  }
  if (!workers_.is_serving()) return News::none;
  attempted_ = false;
  failure_.reset();
  said_.clear();
  backoff_ = {};
  return News::serves;
}

void ManagedPool::retry_later(TimePoint now) {
  const Milliseconds delay = backoff_.after_death({});
  retry_due_ = now + delay;
  tell_refused();
  tell_failure(waiting_text());
}

void ManagedPool::tell_failure(std::string_view then) {
  std::string reason = without_numbers_of_processes(failure_->text);
  if (reason == said_) return;
  said_ = std::move(reason);
  log_error(concat("pool ", in_quotes(settings().name), " does not start: ", failure_->text, then));
}

void ManagedPool::on_time(TimePoint now) {
  advance_look(now);
  workers_.on_time(now);
  templates_.hear(now);
  templates_.tidy();
  exit_hooks_.on_time(now);
  if (!retry_due_ || *retry_due_ > now) return;
  retry_due_.reset();
  prepare();
  boot(now);
}

std::optional<TimePoint> ManagedPool::next_due() const {
  if (templates_.has_news()) return TimePoint{};
  std::optional<TimePoint> next = workers_.next_due();
  const auto look_due = looking_ ? std::optional(looking_->look->due()) : std::nullopt;
  for (const std::optional<TimePoint>& due : {retry_due_, look_due, exit_hooks_.next_due()}) {
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

void ManagedPool::stop(TimePoint now) {
  forget_plans();
  close_sockets();
  workers_.stop(now);
}

void ManagedPool::kill_all() {
  forget_plans();
  workers_.kill_all();
  templates_.kill_all();
}

void ManagedPool::forget_plans() {
  retry_due_.reset();
  wanted_.reset();
  looking_.reset();
}

// A change on its way is begun again when the new gateway is there.
void ManagedPool::abandon(TimePoint now) {
  abandon_look();
  if (next_ && is_change(next_->config) && !wanted_) wanted_ = Wanted{next_->config};
  workers_.abandon(now);
  drop_next();
}

void ManagedPool::recover(TimePoint now) {
  if (!failure_ && !plan_.command) return;  // boots when its look is over
  if (!failure_) return workers_.recover(now);
  tell_refused();
  if (!looking_) retry_due_ = now;
}

void ManagedPool::tell(MessageType type, std::string text, int fd) const {
  Message message{.type = type, .pool = id_, .text = std::move(text)};
  if (fd >= 0) message.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  context_.host.tell_gateway(message);
}

void ManagedPool::tell_refused() const {
  tell(MessageType::refuse, concat("the pool does not start: ", failure_->text));
}

void ManagedPool::tell_tls(const Plan& plan) const {
  if (!plan.tls) return;
  try {
    Message message = tls_message(id_, *plan.tls);
    message.text = plan.config.settings.tls_certificate.path;
    context_.host.tell_gateway(message);
  } catch (const std::system_error& error) {
    log_error(concat("pool ", in_quotes(settings().name),
                     ": cannot hand its certificate to the gateway: ", error.what()));
  }
}

void ManagedPool::send_logs() const {
  const PoolSettings& pool = settings();
  if (const pyhost::UniqueFd fd = context_.logs.access_log(pool)) {
    tell(MessageType::access_log, {}, fd.get());
  }
  if (const pyhost::UniqueFd fd = context_.logs.slow_log(pool)) {
    tell(MessageType::slow_log, {}, fd.get());
  }
}

std::string ManagedPool::addresses_text() const {
  std::string text;
  for (const BoundSocket& socket : sockets_) {
    text += concat(text.empty() ? "" : ", ", socket.address().text);
  }
  return text;
}

}  // namespace pycgid
