// Reload and change of one pool: from the plan in force to the next. Part of ManagedPool, see
// managed_pool.h.
#include "daemon/address.h"
#include "daemon/handover.h"
#include "daemon/log.h"
#include "daemon/master/failure_text.h"
#include "daemon/master/managed_pool.h"
#include "daemon/master/pool_tls.h"
#include "daemon/master/privileges.h"
#include "daemon/master/unix_socket.h"
#include "daemon/text.h"

#include <algorithm>
#include <utility>

namespace pycgid {
namespace {

std::string name_of(const BoundSocket& socket) {
  return listener_name(socket.address().protocol, socket.address().text);
}

// `options "threads", "env"`
std::string names_text(const std::vector<std::string_view>& options) {
  std::string text = options.size() == 1 ? "option " : "options ";
  for (const std::string_view option : options) {
    text += concat(option == options.front() ? "" : ", ", in_quotes(option));
  }
  return text;
}

bool has_same_rights(const PoolSettings& one, const PoolSettings& other) {
  return one.socket_mode == other.socket_mode && one.socket_user == other.socket_user &&
         one.socket_group == other.socket_group && one.user == other.user &&
         one.group == other.group;
}

void give_rights(const BoundSocket& socket, const PoolSettings& pool) {
  if (socket.address().kind != Address::Kind::unix_path) return;
  try {
    change_socket_rights(socket.address(), pool);
  } catch (const StartupError& error) {
    log_error(concat(error.text, ", going on with those it has"));
  }
}

}  // namespace

void ManagedPool::introduce(pyhost::UniqueFd text) const {
  tell_settings(std::move(text), settings(), 0);
  send_logs();
}

void ManagedPool::reload(PoolConfig config, std::list<BoundSocket> offers, TimePoint now) {
  renew_tls(config.settings);
  Wanted wanted{std::move(config), std::move(offers)};
  inherit_offers(wanted);
  // One that waited asked for less than this.
  wanted_.reset();
  if (!workers_.is_serving()) return start_anew(std::move(wanted), now);
  if (!workers_.has_candidate()) return begin_reload(std::move(wanted), now);
  const PoolConfig& on_its_way = next_ ? next_->config : plan_.config;
  if (wanted.config.settings == on_its_way.settings) return workers_.reload(now);
  wanted_ = std::move(wanted);
}

void ManagedPool::reload(TimePoint now) {
  const Plan& plan = looking_ ? looking_->plan : next_ ? *next_ : plan_;
  reload(wanted_ ? wanted_->config : plan.config, {}, now);
}

// From the plans that it replaces; what it does not name closes with them.
void ManagedPool::inherit_offers(Wanted& wanted) {
  const std::vector<Address>& addresses = wanted.config.settings.addresses;
  const auto inherit = [&](std::list<BoundSocket>& from) {
    wanted.offers.splice(wanted.offers.end(), take_sockets(from, addresses));
  };
  if (wanted_) inherit(wanted_->offers);
  if (looking_) inherit(looking_->offers);
}

void ManagedPool::begin_reload(Wanted wanted, TimePoint now) {
  looking_.reset();
  const bool change = is_change(wanted.config);
  const auto wrong = failure_of([&] {
    Plan plan{.config = std::move(wanted.config)};
    admit(plan);
    std::vector<Address> fresh = unbound(plan.config.settings);
    std::erase_if(fresh, [&](const Address& address) {
      return find_socket(wanted.offers, address) != nullptr;
    });
    begin_look(std::move(plan), Purpose::reload, fresh);
    looking_->offers = std::move(wanted.offers);
  });
  if (wrong) fail_reload(*wrong, change, now);
}

void ManagedPool::fail_reload(const StartupError& error, bool change, TimePoint now) {
  drop_next();
  log_error(concat("reload failed: pool ", in_quotes(settings().name), ": ", error.text,
                   "; generation ", workers_.serving(), " goes on",
                   change ? " with the old settings" : ""));
  workers_.note_failed_reload(error.text, now);
}

void ManagedPool::finish_reload(Looking& over, TimePoint now) {
  const bool change = is_change(over.plan.config);
  const auto wrong = failure_of([&] {
    complete(over);
    if (change) bind_next(over.plan.config.settings, over.offers);
    pyhost::UniqueFd text;
    if (change) text = pool_settings_file(over.plan.config.section);
    next_ = std::make_unique<Plan>(std::move(over.plan));
    if (change) {
      tell_settings(std::move(text), next_->config.settings, workers_.next_generation());
    }
  });
  if (wrong) return fail_reload(*wrong, change, now);
  if (change) {
    workers_.set_next(&next_->config.settings);
    log_notice(concat("pool ", in_quotes(settings().name), " changes: ",
                      names_text(changed_options(plan_.config.section, next_->config.section))));
  }
  workers_.reload(now);
}

// All that can fail is done before anything changes.
void ManagedPool::bind_next(const PoolSettings& next, std::list<BoundSocket>& offers) {
  context_.logs.prepare(next);
  const auto is_path = [](const Address& address) {
    return address.kind == Address::Kind::unix_path;
  };
  // As the start has it: they mean nothing where there is no Unix socket.
  if (std::ranges::any_of(next.addresses, is_path)) {
    std::optional<StartupError> unknown;
    static_cast<void>(with_known_owner(next, unknown));
    if (unknown) throw *unknown;
  }
  take_offered(next, offers);
  PoolSettings missing = next;
  missing.addresses = unbound(next);
  if (missing.addresses.empty()) return;
  new_sockets_.splice(new_sockets_.end(), bind_pool(missing, {}, context_.global.backlog));
}

// It has served nobody yet: nothing is to be kept but sockets that stay.
void ManagedPool::start_anew(Wanted wanted, TimePoint now) {
  PoolConfig& config = wanted.config;
  const bool change = is_change(config);
  if (!change && !failure_ && !looking_) return workers_.reload(now);
  pyhost::UniqueFd text;
  if (change) text = pool_settings_file(config.section);
  // Nothing fails from here on but prepare(), which says so in failure().
  workers_.cancel_start();
  looking_.reset();
  retry_due_.reset();
  said_.clear();
  backoff_ = {};
  plan_.command.reset();
  if (!has_same_tls(config.settings, settings())) plan_.tls.reset();
  if (change) {
    const PoolSettings before = settings();
    plan_.config = std::move(config);
    tell_settings(std::move(text), settings(), workers_.next_generation());
    move_listeners();
    apply_socket_rights(before);
  }
  prepare(std::move(wanted.offers));
  boot(now);
}

void ManagedPool::on_take_over() {
  if (!next_) return;
  const PoolSettings before = settings();
  const bool new_tls = next_->tls != plan_.tls;
  plan_ = std::move(*next_);
  next_.reset();
  workers_.set_next(nullptr);
  if (new_tls) send_tls();
  if (plan_.config.settings == before) return;
  move_listeners();
  apply_socket_rights(before);
  send_logs();
}

// Files that are still the same ones are no part of the plan: that a certificate is renewed does
// not wait for new workers, nor do these for a certificate.
void ManagedPool::renew_tls(const PoolSettings& next) {
  if (!plan_.tls || !has_same_tls(next, settings())) return;
  TlsPem pem = reload_tls(next, *plan_.tls);
  if (pem == *plan_.tls) return;
  plan_.tls = std::move(pem);
  if (next_ && has_same_tls(next_->config.settings, settings())) next_->tls = plan_.tls;
  send_tls();
}

void ManagedPool::settle(TimePoint now) {
  if (next_ && !workers_.has_candidate()) {
    if (is_change(next_->config)) tell(MessageType::keep_pool);
    drop_next();
  }
  if (wanted_ && workers_.is_serving() && !workers_.has_candidate()) {
    begin_reload(*std::exchange(wanted_, std::nullopt), now);
  }
}

void ManagedPool::drop_next() {
  workers_.set_next(nullptr);
  next_.reset();
  // The plan that comes next may name them, too: then they stay open.
  if (wanted_) {
    const std::vector<Address>& addresses = wanted_->config.settings.addresses;
    wanted_->offers.splice(wanted_->offers.end(), take_sockets(new_sockets_, addresses));
  }
  new_sockets_.clear();
}

// --- sockets -------------------------------------------------------------------------------------

void ManagedPool::add_sockets(std::list<BoundSocket> sockets) {
  for (const BoundSocket& socket : sockets) {
    tell(MessageType::listen, name_of(socket), socket.fd().get());
  }
  sockets_.splice(sockets_.end(), sockets);
}

// From the sockets of the old settings to those of the new ones, which are in force by now. A
// socket that stays is never closed.
void ManagedPool::move_listeners() {
  const std::vector<Address>& wanted = settings().addresses;
  for (auto socket = sockets_.begin(); socket != sockets_.end();) {
    const auto is_wanted = [&](const Address& address) {
      return socket_key(address) == socket_key(socket->address());
    };
    if (wanted.empty() || std::ranges::any_of(wanted, is_wanted)) {
      ++socket;
      continue;
    }
    const std::string name = name_of(*socket);
    socket = sockets_.erase(socket);  // its path, too: nobody can connect any more
    tell(MessageType::unlisten, name);
  }
  match_protocols();
  add_sockets(std::exchange(new_sockets_, {}));
}

void ManagedPool::match_protocols() {
  for (const Address& address : settings().addresses) {
    BoundSocket* socket = find_socket(sockets_, address);
    if (socket == nullptr || socket->address() == address) continue;
    const std::string before = name_of(*socket);
    socket->set_address(address);
    tell(MessageType::unlisten, before);
    tell(MessageType::listen, name_of(*socket), socket->fd().get());
  }
}

void ManagedPool::apply_socket_rights(const PoolSettings& before) const {
  if (!has_same_rights(before, settings())) give_socket_rights();
}

void ManagedPool::give_socket_rights() const {
  for (const BoundSocket& socket : sockets_) give_rights(socket, settings());
}

void ManagedPool::take_offered(const PoolSettings& next, std::list<BoundSocket>& offers) {
  std::list<BoundSocket> taken = take_sockets(offers, next.addresses);
  for (const Address& address : next.addresses) {
    BoundSocket* socket = find_socket(taken, address);
    if (socket == nullptr) continue;
    socket->set_address(address);
    give_rights(*socket, next);
  }
  new_sockets_.splice(new_sockets_.end(), taken);
}

std::vector<std::list<BoundSocket>*> ManagedPool::all_sockets() {
  std::vector<std::list<BoundSocket>*> all{&sockets_, &new_sockets_};
  if (looking_) all.push_back(&looking_->offers);
  if (wanted_) all.push_back(&wanted_->offers);
  return all;
}

bool ManagedPool::holds(const Address& address) {
  return std::ranges::any_of(all_sockets(), [&](std::list<BoundSocket>* sockets) {
    return find_socket(*sockets, address) != nullptr;
  });
}

void ManagedPool::close_sockets() {
  for (std::list<BoundSocket>* sockets : all_sockets()) sockets->clear();
}

std::vector<Address> ManagedPool::unbound(const PoolSettings& settings) {
  std::vector<Address> addresses = settings.addresses;
  std::erase_if(addresses, [this](const Address& address) { return holds(address); });
  return addresses;
}

std::list<BoundSocket> ManagedPool::give_up(const std::vector<Address>& addresses) {
  std::list<BoundSocket> given;
  for (std::list<BoundSocket>* sockets : all_sockets()) {
    given.splice(given.end(), take_sockets(*sockets, addresses));
  }
  return given;
}

// --- ends ----------------------------------------------------------------------------------------

void ManagedPool::remove(TimePoint now) {
  removed_ = true;
  attempted_ = false;
  forget_plans();
  drop_next();
  close_sockets();
  tell(MessageType::remove_pool);
  stop(now);
}

void ManagedPool::tell_settings(pyhost::UniqueFd text, const PoolSettings& settings,
                                std::uint32_t generation) const {
  Message message{.type = MessageType::configure_pool, .pool = id_, .generation = generation};
  message.fds.push_back(std::move(text));
  const LogFiles& logs = context_.logs;
  if (auto fd = logs.access_log(settings)) message.fds.push_back(std::move(fd));
  if (auto fd = logs.slow_log(settings)) message.fds.push_back(std::move(fd));
  context_.host.tell_gateway(message);
}

}  // namespace pycgid
