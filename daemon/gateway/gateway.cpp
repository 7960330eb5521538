#include "daemon/gateway/gateway.h"

#include "daemon/address.h"
#include "daemon/gateway/acceptor.h"
#include "daemon/gateway/alarm.h"
#include "daemon/gateway/connection.h"
#include "daemon/gateway/descriptor_reserve.h"
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/make_connection.h"
#include "daemon/gateway/peer_filter.h"
#include "daemon/gateway/pools.h"
#include "daemon/gateway/status_answer.h"
#include "daemon/handover.h"
#include "daemon/log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

namespace pycgid {
namespace {

constexpr Milliseconds kStarvedPause{100};
// A connection that is not over by then is watched, also by a loop that never sleeps.
constexpr Milliseconds kUnwatchedAtMost{5};
constexpr Milliseconds kNoticeEvery{60'000};

class Gateway final : public ConnectionOwner, public AcceptorOwner, public TurnWork {
 public:
  Gateway(const Settings& settings, const std::vector<ServedPool>& pools,
          std::vector<ListeningSocket> listeners, Link link);
  ~Gateway();

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
  bool may_nap() override { return pools_.may_nap(); }
  bool prepare_sleep(bool nap) override;
  void woke() override;

  bool read_link();
  void on_message(Message& message);
  void open_error_log(pyhost::UniqueFd fd);
  void add_listener(Message& message);
  void configure(Message& message);
  void unlisten(const Message& message);
  void remove_pool(const Message& message);
  void close_drained();
  void take_over(const Message& message);
  void refuse(const Message& message);
  void listen(ListeningSocket listener);
  void open_listeners(Pool& pool);
  bool is_open(const Acceptor& acceptor) const;
  void note_shortage(std::string_view text);
  void pause_accepting();
  void resume_accepting();
  void finish();
  void finish_if_done();
  void flush_connections();
  void bury_connections();

  Settings settings_;  // what is global
  Link link_;
  pyhost::UniqueFd error_log_;  // since it was opened anew
  EventLoop loop_;
  Alarm<Gateway> end_of_pause_{*this, &Gateway::resume_accepting};
  PeerFilter peers_;
  DescriptorReserve reserve_;
  Pools pools_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  AllConnections connections_;
  Unwatched unwatched_;
  std::vector<Connection*> to_flush_, flushing_;
  std::vector<Connection*> dead_;
  bool paused_ = false;
  bool finishing_ = false;
  bool drained_ = false;
  Clock::time_point shortage_noted_{};
};

Gateway::Gateway(const Settings& settings, const std::vector<ServedPool>& pools,
                 std::vector<ListeningSocket> listeners, Link link)
    : settings_(settings),
      link_(std::move(link)),
      peers_(configured_peers(settings)),
      pools_(loop_, settings_, [this](const Message& message) { link_.send(message); }) {
  for (const ServedPool& pool : pools) pools_.add(pool.id, pool.settings);
  // Inherited, and to be closed when the log goes to another file.
  if (names_file(settings.log)) error_log_.reset(log_fd());
  for (ListeningSocket& listener : listeners) listen(std::move(listener));
}

Gateway::~Gateway() {
  to_flush_.clear();
  connections_.clear_and_dispose([](Connection* connection) { delete connection; });
}

int Gateway::run() {
  loop_.on_readable_in_order(link_.fd(), [this] { return read_link(); });
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
  if (pools_.on_message(message)) return;
  switch (message.type) {
    case MessageType::take_over:
      return take_over(message);
    case MessageType::listen:
      return add_listener(message);
    case MessageType::refuse:
      return refuse(message);
    case MessageType::configure:
      return configure(message);
    case MessageType::unlisten:
      return unlisten(message);
    case MessageType::remove_pool:
      return remove_pool(message);
    case MessageType::finish:
      return finish();
    case MessageType::ping:
      link_.send({.type = MessageType::pong});
      return;
    case MessageType::log_reopened:
      if (!message.fds.empty()) open_error_log(std::move(message.fds.front()));
      return;
    case MessageType::question:
      link_.send(answer_to(message, pools_));
      return;
    default:
      log_error("the master sent a message of an unknown type");
  }
}

void Gateway::open_error_log(pyhost::UniqueFd fd) {
  set_log_fd(fd.get());
  error_log_ = std::move(fd);
}

void Gateway::configure(Message& message) {
  if (message.fds.empty() || !read_global_settings(message.fds.front(), settings_)) return;
  peers_ = configured_peers(settings_);
  set_log_level(settings_.log_level);
  set_log_format(settings_.log_format);
  if (message.fds.size() > 1) {
    open_error_log(std::move(message.fds[1]));
  } else {
    direct_log(settings_.log);
    error_log_.reset();
  }
  resume_accepting();
}

void Gateway::add_listener(Message& message) {
  if (message.fds.empty()) return;
  auto [protocol, text] = parse_listener_name(message.text);
  listen({.fd = std::move(message.fds.front()),
          .protocol = protocol,
          .pool = message.pool,
          .text = text,
          .tls = is_tls_address(text)});
  if (!paused_) resume_accepting();
}

void Gateway::unlisten(const Message& message) {
  for (const auto& acceptor : acceptors_) {
    const ListeningSocket& listener = acceptor->listener();
    if (listener.pool == message.pool && !acceptor->closing() &&
        listener_name(listener.protocol, listener.text) == message.text) {
      acceptor->close_when_drained();
    }
  }
  close_drained();
}

// One that never came to serve answers 503 to those who have waited for that.
void Gateway::remove_pool(const Message& message) {
  Pool* pool = pools_.find(message.pool);
  if (pool == nullptr) return;
  pool->give_up_start("the pool does not start");
  for (const auto& acceptor : acceptors_) {
    if (acceptor->listener().pool == message.pool) acceptor->close_when_drained();
  }
  close_drained();
  pool->dispatcher.leave();
  for (Connection& connection : connections_) {
    if (&connection.dispatcher() == &pool->dispatcher) connection.close_if_idle();
  }
}

// What has been connected before is still served; without room for it, when there is some.
void Gateway::close_drained() {
  std::erase_if(acceptors_, [this](const auto& acceptor) {
    if (!acceptor->closing() || !acceptor->accept_backlog()) return false;
    if (Pool* pool = pools_.find(acceptor->listener().pool)) --pool->listeners;
    return true;
  });
}

void Gateway::listen(ListeningSocket listener) {
  Pool* pool = pools_.find(listener.pool);
  if (pool == nullptr) return;
  ++pool->listeners;
  acceptors_.push_back(std::make_unique<Acceptor>(std::move(listener), loop_, peers_, *this));
}

// --- accepting ----------------------------------------------------------------------------------

void Gateway::take_over(const Message& message) {
  Pool* pool = pools_.find(message.pool);
  if (pool == nullptr) return;
  pool->take_over(message.generation);
  open_listeners(*pool);
}

void Gateway::refuse(const Message& message) {
  Pool* pool = pools_.find(message.pool);
  if (pool == nullptr) return;
  pool->refuse(message.text);
  open_listeners(*pool);
}

void Gateway::open_listeners(Pool& pool) {
  pool.opened = true;
  if (!paused_) resume_accepting();
}

bool Gateway::is_open(const Acceptor& acceptor) const {
  const Pool* pool = pools_.find(acceptor.listener().pool);
  return pool != nullptr && pool->opened;
}

void Gateway::accepted(const ListeningSocket& listener, pyhost::UniqueFd socket, std::string peer) {
  const Pool* pool = pools_.find(listener.pool);
  if (pool == nullptr) return;
  ++pool->context.dispatcher.stats().connections;
  const bool is_last = reserve_.is_reached_by(socket.get());
  Connection* connection =
      make_connection(listener, *pool, *this, {std::move(socket), std::move(peer)}).release();
  if (connection == nullptr) return;
  connections_.push_back(*connection);
  unwatched_.push_back(*connection);
  connection->start();
  if (!has_room()) {
    note_shortage("no more connections are accepted until one closes (option \"max-connections\")");
    pause_accepting();
  } else if (is_last) {
    starved(EMFILE);
  }
}

void Gateway::starved(int error) {
  note_shortage(std::string("cannot accept connections: ") + std::strerror(error) +
                "; accepting pauses until some close (raise the limit of open files)");
  pause_accepting();
  loop_.timers().set(end_of_pause_, loop_.now() + kStarvedPause);
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
  if (!has_room()) return;
  if (paused_ && !reserve_.is_out_of_reach()) return starved(EMFILE);
  paused_ = false;
  close_drained();
  if (paused_) return;
  for (const auto& acceptor : acceptors_) {
    if (is_open(*acceptor)) acceptor->open();
  }
}

// --- finishing ----------------------------------------------------------------------------------

// What has been connected before is still served, also from the backlog.
void Gateway::finish() {
  if (finishing_) return;
  for (const auto& [id, pool] : pools_.all()) pool->give_up_start("the daemon is stopping");
  for (const auto& acceptor : acceptors_) acceptor->close_when_drained();
  close_drained();
  finishing_ = true;
  pools_.announce_end();
  for (Connection& connection : connections_) connection.close_if_idle();
}

// After the last answer the workers end, and what they say at their end is logged, too.
void Gateway::finish_if_done() {
  if (!finishing_ || !connections_.empty() || !acceptors_.empty()) return;
  if (!std::exchange(drained_, true)) {
    pools_.retire_all();
    link_.send({.type = MessageType::drained});
  }
  if (pools_.is_quiet()) loop_.stop();
}

// --- the turn -----------------------------------------------------------------------------------

bool Gateway::run_turn() {
  bool busy = false;
  while (!unwatched_.empty() && unwatched_.front().last_read() + kUnwatchedAtMost <= loop_.now()) {
    unwatched_.front().watch();
  }
  busy |= pools_.run_turn();
  busy |= !to_flush_.empty();
  flush_connections();
  bury_connections();
  pools_.bury();
  pools_.flush_access_logs();
  finish_if_done();
  return busy;
}

// What flushing makes room for is flushed in the next turn: else a quick front kept the loop here.
void Gateway::flush_connections() {
  flushing_.swap(to_flush_);
  for (Connection* connection : flushing_) connection->flush();
  flushing_.clear();
}

void Gateway::bury_connections() {
  if (dead_.empty()) return;
  std::erase_if(to_flush_, [](const Connection* connection) { return connection->dead(); });
  for (Connection* connection : dead_) {
    connections_.erase(connections_.iterator_to(*connection));
    delete connection;
  }
  dead_.clear();
  if (paused_ && !end_of_pause_.armed()) resume_accepting();
}

bool Gateway::prepare_sleep(bool nap) {
  while (!nap && !unwatched_.empty()) unwatched_.front().watch();
  if (!dead_.empty() || !to_flush_.empty()) return false;
  return pools_.prepare_sleep(nap);
}

void Gateway::woke() {
  pools_.woke();
}

}  // namespace

int run_gateway(const Settings& settings, const std::vector<ServedPool>& pools,
                std::vector<ListeningSocket> listeners, Link link) {
  try {
    return Gateway(settings, pools, std::move(listeners), std::move(link)).run();
  } catch (const std::exception& error) {
    log_error(std::string("the gateway cannot go on: ") + error.what());
    return 70;
  }
}

}  // namespace pycgid
