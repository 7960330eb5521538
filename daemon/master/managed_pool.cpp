// One pool as the master runs it, see managed_pool.h.
#include "daemon/master/managed_pool.h"

#include "daemon/address.h"
#include "daemon/log.h"
#include "daemon/master/worker_spawn.h"
#include "daemon/text.h"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace pycgid {

ManagedPool::ManagedPool(const Settings& global, const PoolSettings& settings, std::uint32_t id,
                         PoolHost& host)
    : global_(global), settings_(settings), id_(id), host_(host), workers_(settings_, id, host) {}

void ManagedPool::prepare() {
  if (command_) return;
  attempted_ = true;
  try {
    credentials_ = worker_credentials(settings_);
    WorkerCommand command = make_worker_command(global_, settings_, credentials_, environ);
    sockets_ = bind_pool(settings_, id_, global_.backlog);
    command_ = std::move(command);
  } catch (const StartupError& error) {
    failure_ = error;
  }
}

void ManagedPool::boot(TimePoint now) {
  if (!command_) return;
  attempted_ = true;
  workers_.boot(now);
}

std::string ManagedPool::spawn(std::uint32_t number, SpawnedWorker& worker) const {
  return spawn_worker({settings_, *command_, credentials_}, number, worker);
}

ManagedPool::News ManagedPool::news() {
  if (!attempted_) return News::none;
  if (workers_.start_failure()) failure_ = workers_.start_failure();
  if (!command_ || workers_.start_failure()) {
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
  if (std::exchange(said_, failure_->text) == failure_->text) return;
  log_error(concat("pool ", in_quotes(settings_.name), " does not start: ", failure_->text,
                   "; its requests are answered 503 while it is tried again and again"));
}

void ManagedPool::on_time(TimePoint now) {
  workers_.on_time(now);
  if (!retry_due_ || *retry_due_ > now) return;
  retry_due_.reset();
  if (!command_) {
    prepare();
    tell_sockets();
  }
  boot(now);
}

std::optional<TimePoint> ManagedPool::next_due() const {
  const std::optional<TimePoint> due = workers_.next_due();
  if (!due || !retry_due_) return due ? due : retry_due_;
  return std::min(*due, *retry_due_);
}

void ManagedPool::stop(TimePoint now) {
  retry_due_.reset();
  workers_.stop(now);
}

void ManagedPool::kill_all() {
  retry_due_.reset();
  workers_.kill_all();
}

void ManagedPool::recover(TimePoint now) {
  if (!failure_) return workers_.recover(now);
  tell_refused();
  retry_due_ = now;
}

void ManagedPool::tell_refused() const {
  Message message;
  message.type = MessageType::refuse;
  message.pool = id_;
  host_.tell_gateway(message);
}

void ManagedPool::tell_sockets() const {
  for (const BoundSocket& socket : sockets_) {
    Message message;
    message.type = MessageType::listen;
    message.pool = id_;
    message.text = concat(option_name(socket.address().protocol), " ", socket.address().text);
    message.fds.emplace_back(fcntl(socket.fd().get(), F_DUPFD_CLOEXEC, 0));
    host_.tell_gateway(message);
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
