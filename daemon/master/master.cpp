// The master's loop, see master.h.
#include "daemon/master/master.h"

#include "daemon/log.h"
#include "daemon/master/process_limits.h"
#include "daemon/master/process_memory.h"
#include "daemon/master/service_state.h"
#include "daemon/master/signals.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <limits>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

// What the gateway needs beyond stop-timeout to send its last answers.
constexpr Milliseconds kGrace{1000};
// What it gets to write down the workers' last lines when the start failed.
constexpr Milliseconds kLastWords{500};

TimePoint current_time() {
  return std::chrono::steady_clock::now();
}

// The system waits for no more descriptors than the process may have, whatever it has by now, and
// that limit may have been lowered. Those beyond are taken for ready: whatever reads them does not
// block.
int wait_for_any(std::vector<pollfd>& entries, int patience) {
  const int ready = ::poll(entries.data(), entries.size(), patience);
  if (ready >= 0 || errno != EINVAL) return ready;
  constexpr int kNowAndThen = 1000;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto most = static_cast<std::size_t>(std::min<rlim_t>(entries.size(), limit.rlim_cur));
  for (std::size_t i = most; i < entries.size(); ++i) entries[i].revents = POLLIN;
  return ::poll(entries.data(), most, patience < 0 ? kNowAndThen : std::min(patience, kNowAndThen));
}

}  // namespace

Master::Master(const ConfigSource& source, LoadedConfiguration& configuration, LogFiles& logs,
               const ProcessTitle& title, ServiceManager& service)
    : logs_(logs),
      service_(service),
      started_(current_time()),
      gateway_(configuration.settings, title),
      pools_({configuration.settings, logs, *this}),
      reconfiguration_(source, configuration, {configuration.settings, logs, *this}, pools_),
      control_(configuration.settings, *this) {
  note_usable_backlog(configuration.settings.backlog);
  note_file_limit(configuration.settings);
  raise_own_file_limit(configuration.settings);
  // An application on the command line cannot have another one.
  if (!source.file.empty()) note_shared_user(configuration.settings);
  for (PoolConfig& config : pool_configs(configuration)) pools_.add(std::move(config)).prepare();
  signals_ = take_signals();
}

void Master::run() {
  // What cannot start starts nothing, not even a gateway; what can is not kept by what may not.
  while (!pools_.can_begin() && phase_ == Phase::booting) turn();
  if (pools_.have_all_failed()) throw pools_.failure();
  if (phase_ == Phase::booting) boot();
  while (!is_over()) turn();
  if (failure_) throw *failure_;
  log_notice("stopped");
}

void Master::boot() {
  tell_start();
  tell_service();
  if (const std::string wrong = start_gateway(current_time()); !wrong.empty()) {
    fail_start(ExitStatus::system, wrong);
  }
  pools_.boot(current_time());
  hear_news();
}

std::string Master::start_gateway(TimePoint now) {
  gateway_ready_ = false;
  gateway_due_.reset();
  std::string wrong = gateway_.start(pools_.served(), pools_.sockets(), now);
  if (!wrong.empty()) return wrong;
  watch_.begin(now);
  tell_gateway_all();
  return {};
}

void Master::replace_gateway(TimePoint now) {
  const std::string wrong = start_gateway(now);
  if (wrong.empty()) return pools_.recover(now);
  const Milliseconds delay = gateway_.on_exited(now);
  gateway_due_ = now + delay;
  log_error(concat(wrong, "; trying again in ", duration_text(delay)));
}

bool Master::is_over() const {
  return phase_ >= Phase::stopping && !gateway_.is_running() && pools_.have_all_ended();
}

void Master::turn() {
  guard_.run("do a turn", [this] { wait(); });
  const Milliseconds pause = std::max(guard_.take_pause(), pools_.take_pause());
  if (pause.count() > 0) ::poll(nullptr, 0, static_cast<int>(pause.count()));
}

std::vector<pollfd> Master::waited_for() const {
  std::vector<pollfd> entries{{signals_.get(), POLLIN, 0},
                              {gateway_.link_fd(), POLLIN, 0},
                              {control_.fd(), POLLIN, 0},
                              {reconfiguration_.fd(), POLLIN, 0}};
  for (int fd : pools_.status_fds()) entries.push_back({fd, POLLIN, 0});
  return entries;
}

void Master::wait() {
  std::vector<pollfd> entries = waited_for();
  if (wait_for_any(entries, patience(current_time())) < 0 && errno != EINTR) {
    // Only a lack of memory can be the cause; nothing is lost by trying again.
    return;
  }
  const TimePoint now = current_time();
  for (std::size_t i = 4; i < entries.size(); ++i) {
    if (entries[i].revents != 0) pools_.on_status_readable(entries[i].fd, now);
  }
  if (entries[1].revents != 0 || messages_.has_more())
    guard_.run("read messages", [this] { on_messages(); });
  if (entries[0].revents != 0 || reap_again_) {
    if (!guard_.run("obey a signal", [this] { on_signals(); })) reap_again_ = true;
  }
  if (entries[2].revents != 0)
    guard_.run(
        "answer", [&] { control_.on_events(now); }, "control");
  guard_.run("do what is due", [&] { on_time(now); });
  pools_.settle(current_time());
  guard_.run("announce pools", [this] { hear_news(); });
  guard_.run(
      "answer", [&] { control_.advance(now); }, "control");
  guard_.run("notify the service manager", [this] { tell_service(); });
}

int Master::patience(TimePoint now) const {
  std::optional<TimePoint> next = gateway_due_;
  const auto consider = [&next](std::optional<TimePoint> due) {
    if (due && (!next || *due < *next)) next = due;
  };
  consider(end_due_);
  consider(logs_.next_due());
  consider(control_.next_due());
  consider(pools_.next_due());
  consider(service_.next_due());
  consider(reconfiguration_.next_due());
  consider(watch_.next_due());
  if (phase_ <= Phase::serving) consider(sockets_due_);
  if (messages_.has_more() || reap_again_) return 0;
  if (!next) return -1;
  const auto left = std::chrono::ceil<Milliseconds>(*next - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

void Master::on_signals() {
  if (reap_again_) reap_children();
  // Each kind waits once at most, unless somebody sends them as fast as they are read.
  constexpr int kMostAtOnce = 16;
  for (int count = 0; count < kMostAtOnce; ++count) {
    const int signal = next_signal(signals_);
    if (signal == 0) return;
    on_signal(signal);
  }
}

void Master::on_signal(int signal) {
  switch (signal) {
    case SIGCHLD:
      reap_children();
      break;
    case SIGHUP:
    case SIGUSR2:  // php-fpm's word for it
      reload();
      break;
    case SIGUSR1:
      reopen_logs();
      break;
    default:
      stop();
  }
}

void Master::on_messages() {
  messages_.read([this](Message& message) { return gateway_.receive(message); },
                 [this](Message& message) { on_message(message); });
}

void Master::on_message(Message& message) {
  if (pools_.on_message(message, current_time())) return;
  switch (message.type) {
    case MessageType::gateway_ready:
      gateway_ready_ = true;
      [[fallthrough]];
    case MessageType::pong:
      service_.on_pong(current_time());
      watch_.on_answer(current_time());
      break;
    case MessageType::answer:
      control_.on_answer(message, current_time());
      break;
    case MessageType::drained:
      log_info("all requests are finished");
      break;
    default:
      log_error(concat(gateway_.object(), " says what no gateway says, killing it"));
      gateway_.condemn();
  }
}

void Master::on_time(TimePoint now) {
  advance_reload(now);
  pools_.on_time(now);
  if (logs_.tend(now)) send_logs();
  if (service_.wants_ping(now)) gateway_.send({.type = MessageType::ping});
  watch_gateway(now);
  tend_sockets(now);
  if (gateway_due_ && *gateway_due_ <= now && phase_ <= Phase::serving) replace_gateway(now);
  if (end_due_ && *end_due_ <= now) {
    if (phase_ == Phase::stopping) {
      log_warning("not finished in time (option \"stop-timeout\"), killing what is left");
    }
    end_all();
  }
}

// What stands still, or has lost its link, is replaced as if it had died.
void Master::watch_gateway(TimePoint now) {
  switch (watch_.look(now)) {
    case GatewayWatch::Step::none:
      break;
    case GatewayWatch::Step::ask:
      gateway_.send({.type = MessageType::ping});
      break;
    case GatewayWatch::Step::overdue:
      log_error(concat(gateway_.object(), " has not answered for ",
                       duration_text(GatewayWatch::kAnswerWithin), ", killing it"));
      gateway_.kill();
  }
}

void Master::tend_sockets(TimePoint now) {
  constexpr std::chrono::seconds kTendEvery{1};
  if (sockets_due_ > now || phase_ > Phase::serving) return;
  sockets_due_ = now + kTendEvery;
  pools_.tend_sockets();
  control_.tend_socket();
}

// Whether a pool has started is told when the gateway is there too.
void Master::hear_news() {
  if (!gateway_ready_ || phase_ > Phase::serving) return;
  for (const auto& pool : pools_) {
    switch (pool->news()) {
      case ManagedPool::News::none:
        break;
      case ManagedPool::News::serves:
        announce(*pool);
        if (phase_ == Phase::booting) phase_ = Phase::serving;
        break;
      case ManagedPool::News::failed:
        on_start_failure(*pool, current_time());
    }
    if (phase_ > Phase::serving) return;
  }
  if (phase_ == Phase::booting && pools_.is_empty()) {
    announce_none();
    phase_ = Phase::serving;
  }
  if (phase_ == Phase::serving && pools_.are_all_decided()) started_up_ = true;
  if (std::exchange(reload_wanted_, false)) reload();
}

void Master::tell_service() {
  using Told = ServiceState::Phase;
  if (failure_) return;  // told of at the end
  const Told phase = phase_ > Phase::serving ? Told::stopping
                     : started_up_           ? Told::serving
                                             : Told::starting;
  ServiceState state = service_state(phase, pools_);
  state.reloading = state.reloading || reconfiguration_.is_looking();
  service_.observe(state, current_time());
}

void Master::on_start_failure(ManagedPool& pool, TimePoint now) {
  if (phase_ == Phase::booting && pools_.have_all_failed()) {
    fail_boot(pools_.failure());
  } else {
    pool.retry_later(now);
  }
}

// What a gateway has to know before it accepts.
void Master::tell_gateway_all() {
  send_pool_logs();
  for (const auto& pool : pools_) pool->send_tls();
}

void Master::send_pool_logs() {
  for (const auto& pool : pools_) pool->send_logs();
}

void Master::send_logs() {
  if (pyhost::UniqueFd fd = logs_.error_log()) {
    Message message{.type = MessageType::log_reopened};
    message.fds.push_back(std::move(fd));
    gateway_.send(message);
  }
  send_pool_logs();
}

void Master::stop() {
  if (phase_ != Phase::serving) {
    if (phase_ != Phase::booting) pools_.end_exit_hooks();
    end_all();
    return;
  }
  phase_ = Phase::stopping;
  watch_.end();
  reconfiguration_.cancel();
  gateway_due_.reset();
  log_notice("stopping: finishing the requests in progress");
  gateway_.send({.type = MessageType::finish});
  const TimePoint now = current_time();
  end_due_ = now;
  pools_.stop(now);
  for (const auto& pool : pools_) {
    end_due_ = std::max(*end_due_, now + stop_time(pool->settings()) + kGrace);
  }
}

void Master::fail_boot(StartupError failure) {
  failure_ = std::move(failure);
  phase_ = Phase::ending;
  pools_.kill_all();
  gateway_.send({.type = MessageType::finish});
  end_due_ = current_time() + kLastWords;
}

void Master::end_all() {
  phase_ = Phase::ending;
  watch_.end();
  reconfiguration_.cancel();
  end_due_.reset();
  gateway_due_.reset();
  pools_.kill_all();
  gateway_.kill();
}

// --- PoolHost ------------------------------------------------------------------------------------

std::string Master::spawn(std::uint32_t pool, std::uint32_t generation, std::uint32_t number,
                          SpawnedWorker& worker) {
  worker.id = next_id();
  return pools_.find(pool)->spawn(generation, number, worker);
}

void Master::on_take_over(std::uint32_t pool) {
  pools_.find(pool)->on_take_over();
}

void Master::give_up_fork(std::uint32_t pool, std::uint32_t worker) {
  pools_.find(pool)->templates().give_up(worker);
}

void Master::signal_group(pid_t leader, int signal) {
  // It has no group yet in its first instant.
  if (::kill(-leader, signal) != 0) ::kill(leader, signal);
}

std::uint64_t Master::resident_bytes(pid_t pid) {
  return pycgid::resident_bytes(pid);
}

}  // namespace pycgid
