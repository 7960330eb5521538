#include "daemon/gateway/gateway.h"

#include "daemon/address.h"
#include "daemon/gateway/acceptor.h"
#include "daemon/gateway/connection.h"
#include "daemon/gateway/dispatcher.h"
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/fcgi_connection.h"
#include "daemon/gateway/peer_filter.h"
#include "daemon/gateway/pool.h"
#include "daemon/gateway/scgi_connection.h"
#include "daemon/gateway/worker_output.h"
#include "daemon/log.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <utility>

namespace pycgid {
namespace {

constexpr Milliseconds kStarvedPause{100};
// A connection that is not over by then is watched, also by a loop that never sleeps.
constexpr Milliseconds kUnwatchedAtMost{5};
constexpr Milliseconds kNoticeEvery{60'000};

PeerFilter peer_filter(const Settings& settings) {
  PeerFilter filter;
  for (const std::string& network : settings.allow_peer) filter.add(network);
  if (const char* list = std::getenv("FCGI_WEB_SERVER_ADDRS")) filter.add_web_server_addrs(list);
  return filter;
}

class Gateway final : public ConnectionOwner, public AcceptorOwner, public TurnWork, private Timer {
 public:
  Gateway(const Settings& settings, std::vector<ListeningSocket> listeners, Link link);
  ~Gateway() override;

  int run();

 private:
  using AllConnections =
      boost::intrusive::list<Connection, boost::intrusive::base_hook<ConnectionHook>>;
  using Unwatched = boost::intrusive::list<Connection, boost::intrusive::base_hook<UnwatchedHook>,
                                           boost::intrusive::constant_time_size<false>>;

  // ConnectionOwner
  void flush_later(Connection& connection) override { to_flush_.push_back(&connection); }
  void closed(Connection& connection) override { dead_.push_back(&connection); }
  bool finishing() const override { return finishing_; }
  // AcceptorOwner
  void accepted(const ListeningSocket& listener, pyhost::UniqueFd socket,
                std::string peer) override;
  bool has_room() const override { return connections_.size() < settings_.max_connections; }
  void starved(int error) override;
  // TurnWork
  bool run_turn() override;
  bool prepare_sleep() override;
  void woke() override;
  // Timer: accepting may go on
  void on_timer() override { resume_accepting(); }

  bool read_link();
  void on_message(Message& message);
  void open_error_log(pyhost::UniqueFd fd);
  void open_access_log(Message& message);
  void add_listener(Message& message);
  void add_output(Message& message);
  void add_worker(Message& message);
  void worker_exited(const Message& message);
  void violation(std::uint32_t worker, std::string_view why);
  void listen(ListeningSocket listener);
  void open_listeners(std::uint32_t pool);
  void note_shortage(std::string_view text);
  void pause_accepting();
  void resume_accepting();
  void finish();
  void finish_if_done();
  void flush_connections();
  void flush_access_logs();
  void bury_connections();

  const Settings& settings_;
  Link link_;
  pyhost::UniqueFd error_log_;  // since it was opened anew
  EventLoop loop_;
  PeerFilter peers_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::map<std::uint32_t, WorkerInfo> starting_;  // by worker: started and not yet ready
  std::map<std::uint32_t, std::shared_ptr<WorkerOutput>> outputs_;  // of workers that live
  AllConnections connections_;
  Unwatched unwatched_;
  std::vector<Connection*> to_flush_;
  std::vector<Connection*> dead_;
  std::vector<bool> opened_;  // by pool
  bool paused_ = false;
  bool finishing_ = false;
  bool drained_ = false;
  Clock::time_point shortage_noted_{};
};

Gateway::Gateway(const Settings& settings, std::vector<ListeningSocket> listeners, Link link)
    : settings_(settings),
      link_(std::move(link)),
      peers_(peer_filter(settings)),
      opened_(settings.pools.size()) {
  for (const PoolSettings& pool : settings.pools) {
    pools_.push_back(std::make_unique<Pool>(
        loop_, settings, pool, [this](const Message& message) { link_.send(message); }));
  }
  for (ListeningSocket& listener : listeners) listen(std::move(listener));
}

Gateway::~Gateway() {
  to_flush_.clear();
  connections_.clear_and_dispose([](Connection* connection) { delete connection; });
}

int Gateway::run() {
  loop_.on_readable(link_.fd(), [this] { return read_link(); });
  link_.send({.type = MessageType::gateway_ready});
  loop_.run(*this);
  return 0;
}

// --- the master ---------------------------------------------------------------------------------

bool Gateway::read_link() {
  for (;;) {
    Message message;
    switch (link_.receive(message)) {
      case Link::Received::nothing:
        return true;
      case Link::Received::closed:
        loop_.stop();
        return false;
      case Link::Received::message:
        on_message(message);
    }
  }
}

void Gateway::on_message(Message& message) {
  switch (message.type) {
    case MessageType::worker_started:
      return add_output(message);
    case MessageType::worker_ready:
      return add_worker(message);
    case MessageType::worker_exited:
      return worker_exited(message);
    case MessageType::take_over:
      pools_.at(message.pool)->dispatcher.take_over(message.generation);
      return open_listeners(message.pool);
    case MessageType::listen:
      return add_listener(message);
    case MessageType::refuse:
      pools_.at(message.pool)->dispatcher.refuse_all();
      return open_listeners(message.pool);
    case MessageType::retire:
      for (const auto& pool : pools_) pool->dispatcher.retire(message.worker);
      return;
    case MessageType::finish:
      return finish();
    case MessageType::log_reopened:
      if (!message.fds.empty()) open_error_log(std::move(message.fds.front()));
      return;
    case MessageType::access_log:
      return open_access_log(message);
    case MessageType::slow_log:
      if (!message.fds.empty()) {
        pools_.at(message.pool)->slow_log.open(std::move(message.fds.front()));
      }
      return;
    default:
      log_error("the master sent a message of an unknown type");
  }
}

void Gateway::open_error_log(pyhost::UniqueFd fd) {
  set_log_fd(fd.get());
  error_log_ = std::move(fd);
}

void Gateway::open_access_log(Message& message) {
  const auto& log = pools_.at(message.pool)->access_log;
  if (log != nullptr && !message.fds.empty()) log->open(std::move(message.fds.front()));
}

void Gateway::add_listener(Message& message) {
  if (message.fds.empty()) return;
  const std::size_t blank = std::min(message.text.find(' '), message.text.size() - 1);
  const bool is_scgi = message.text.substr(0, blank) == option_name(Protocol::scgi);
  listen({.fd = std::move(message.fds.front()),
          .protocol = is_scgi ? Protocol::scgi : Protocol::fastcgi,
          .pool = message.pool,
          .text = message.text.substr(blank + 1)});
  if (!paused_) resume_accepting();
}

void Gateway::listen(ListeningSocket listener) {
  acceptors_.push_back(
      std::make_unique<Acceptor>(std::move(listener), loop_.poller(), peers_, *this));
}

void Gateway::add_output(Message& message) {
  WorkerInfo info{.id = message.worker,
                  .pool = message.pool,
                  .generation = message.generation,
                  .name = message.text + "[" + std::to_string(message.pid) + "]",
                  .pid = message.pid,
                  .threads = settings_.pools.at(message.pool).threads,
                  .max_requests = requests_until_worn(settings_.pools.at(message.pool)),
                  .started = loop_.now()};
  if (!message.fds.empty()) {
    auto output = std::make_shared<WorkerOutput>(info.name, std::move(message.fds.front()),
                                                 pools_.at(message.pool)->slow_log);
    loop_.on_readable(output->fd(), [output] { return output->read(); });
    outputs_.insert_or_assign(message.worker, std::move(output));
  }
  starting_.insert_or_assign(message.worker, std::move(info));
}

void Gateway::add_worker(Message& message) {
  const auto info = starting_.find(message.worker);
  if (info == starting_.end() || message.fds.size() != 3) return;
  pyhost::ChannelFds fds{.memory = std::move(message.fds[0]),
                         .bell = std::move(message.fds[1]),
                         .passing = std::move(message.fds[2])};
  std::error_code error;
  auto channel = pyhost::GatewayEnd::open(std::move(fds), error);
  if (!channel) return violation(message.worker, "its channel can't be opened: " + error.message());
  Pool& pool = *pools_.at(info->second.pool);
  if (pool.context.pool.warmup.empty()) {
    pool.dispatcher.add_worker(std::move(info->second), std::move(channel));
  } else {
    pool.dispatcher.warm_up(std::move(info->second), std::move(channel), pool.context);
  }
  starting_.erase(info);
}

void Gateway::worker_exited(const Message& message) {
  if (const auto output = outputs_.find(message.worker); output != outputs_.end()) {
    output->second->read_rest();
    outputs_.erase(output);
  }
  starting_.erase(message.worker);
  for (const auto& pool : pools_) pool->dispatcher.worker_exited(message.worker);
}

void Gateway::violation(std::uint32_t worker, std::string_view why) {
  link_.send({.type = MessageType::worker_violated, .worker = worker, .text = std::string(why)});
}

// --- accepting ----------------------------------------------------------------------------------

void Gateway::open_listeners(std::uint32_t pool) {
  opened_.at(pool) = true;
  if (!paused_) resume_accepting();
}

void Gateway::accepted(const ListeningSocket& listener, pyhost::UniqueFd socket, std::string peer) {
  const ExchangeContext& context = pools_.at(listener.pool)->context;
  ++context.dispatcher.stats().connections;
  Connection* connection = nullptr;
  if (listener.protocol == Protocol::fastcgi) {
    connection = new FcgiConnection(context, *this, std::move(socket), std::move(peer));
  } else {
    connection = new ScgiConnection(context, *this, std::move(socket), std::move(peer));
  }
  connections_.push_back(*connection);
  unwatched_.push_back(*connection);
  connection->start();
  if (!has_room()) {
    note_shortage("no more connections are accepted until one closes (option \"max-connections\")");
    pause_accepting();
  }
}

void Gateway::starved(int error) {
  note_shortage(std::string("cannot accept connections: ") + std::strerror(error) +
                "; accepting pauses until some close (raise the limit of open files)");
  pause_accepting();
  loop_.timers().set(*this, loop_.now() + kStarvedPause);
}

// Once a minute at most.
void Gateway::note_shortage(std::string_view text) {
  if (loop_.now() - shortage_noted_ < kNoticeEvery) return;
  shortage_noted_ = loop_.now();
  log_warning(text);
}

void Gateway::pause_accepting() {
  paused_ = true;
  for (const auto& acceptor : acceptors_) acceptor->pause();
}

void Gateway::resume_accepting() {
  if (finishing_ || !has_room()) return;
  paused_ = false;
  for (const auto& acceptor : acceptors_) {
    if (opened_.at(acceptor->listener().pool)) acceptor->open();
  }
}

// --- finishing ----------------------------------------------------------------------------------

// What has been connected before is still served, also from the backlog.
void Gateway::finish() {
  if (finishing_) return;
  for (const auto& acceptor : acceptors_) {
    if (opened_.at(acceptor->listener().pool)) acceptor->accept_backlog();
  }
  finishing_ = true;
  acceptors_.clear();
  for (Connection& connection : connections_) connection.close_if_idle();
}

// After the last answer the workers end, and what they say at their end is logged, too.
void Gateway::finish_if_done() {
  if (!finishing_ || !connections_.empty()) return;
  if (!std::exchange(drained_, true)) {
    for (const auto& pool : pools_) pool->dispatcher.retire_all();
    link_.send({.type = MessageType::drained});
  }
  if (outputs_.empty()) loop_.stop();
}

// --- the turn -----------------------------------------------------------------------------------

bool Gateway::run_turn() {
  bool busy = false;
  while (!unwatched_.empty() && unwatched_.front().last_read() + kUnwatchedAtMost <= loop_.now()) {
    unwatched_.front().watch();
  }
  for (const auto& pool : pools_) busy |= pool->dispatcher.run_turn();
  busy |= !to_flush_.empty();
  flush_connections();
  bury_connections();
  flush_access_logs();
  finish_if_done();
  return busy;
}

// Flushing may make room for more of an answer, which is flushed again.
void Gateway::flush_connections() {
  for (std::size_t i = 0; i < to_flush_.size(); ++i) to_flush_[i]->flush();
  to_flush_.clear();
}

void Gateway::flush_access_logs() {
  for (const auto& pool : pools_) {
    if (pool->access_log != nullptr) pool->access_log->flush();
  }
}

void Gateway::bury_connections() {
  if (dead_.empty()) return;
  for (Connection* connection : dead_) {
    connections_.erase(connections_.iterator_to(*connection));
    delete connection;
  }
  dead_.clear();
  if (paused_ && !armed()) resume_accepting();
}

bool Gateway::prepare_sleep() {
  while (!unwatched_.empty()) unwatched_.front().watch();
  if (!dead_.empty() || !to_flush_.empty()) return false;
  return std::all_of(pools_.begin(), pools_.end(),
                     [](const auto& pool) { return pool->dispatcher.prepare_sleep(); });
}

void Gateway::woke() {
  for (const auto& pool : pools_) pool->dispatcher.woke();
}

}  // namespace

int run_gateway(const Settings& settings, std::vector<ListeningSocket> listeners, Link link) {
  try {
    return Gateway(settings, std::move(listeners), std::move(link)).run();
  } catch (const std::exception& error) {
    log_error(std::string("the gateway cannot go on: ") + error.what());
    return 70;
  }
}

}  // namespace pycgid
