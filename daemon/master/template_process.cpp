// One template, see template_process.h.
#include "daemon/master/template_process.h"

#include "daemon/log.h"
#include "daemon/master/exit_text.h"
#include "daemon/text.h"
#include "pyhost/fork_order.h"

#include <algorithm>
#include <chrono>
#include <poll.h>
#include <sys/wait.h>
#include <utility>

namespace pycgid {
namespace {

// Also when it has ended and is not reaped yet.
bool is_our_child(pid_t pid) {
  siginfo_t info{};
  return pid > 0 &&
         ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool is_readable(const pyhost::UniqueFd& pipe) {
  pollfd entry{pipe.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

std::string age_text(TimePoint then, TimePoint now) {
  return duration_text(std::chrono::duration_cast<Milliseconds>(now - then));
}

}  // namespace

TemplateProcess::TemplateProcess(SpawnedTemplate spawned, const PoolSettings& pool,
                                 std::uint32_t generation, TimePoint now)
    : pool_(pool),
      process_(std::move(spawned.process), concat(pool.name, "/template"), 0, generation),
      link_(std::move(spawned.orders)) {
  process_.start(now, pool.start_timeout);
}

bool TemplateProcess::has_order(std::uint32_t worker) const {
  return (current_ && current_->id == worker) ||
         std::ranges::find(orders_, worker, &Order::worker) != orders_.end();
}

std::vector<int> TemplateProcess::fds() const {
  std::vector<int> fds;
  if (process_.status_fd() >= 0) fds.push_back(process_.status_fd());
  if (link_) fds.push_back(link_.get());
  if (current_ && (link_ || ended_)) fds.push_back(current_->status.get());
  return fds;
}

bool TemplateProcess::hear(TimePoint now) {
  hear_status(now);
  hear_workers();
  look_after_current();
  send_next();
  return end_ && !ended_ && !doomed_;
}

void TemplateProcess::hear_status(TimePoint now) {
  const std::optional<std::string> line = process_.read_status();
  if (!line) return;
  if (*line == "ready") {
    ready_ = true;
    log_line(
        LogLevel::info, object(),
        concat("ready after ", age_text(process_.started(), now), ", generation ", generation()));
  } else {
    fail_waiting(parse_complaint(*line, pool_.places));
  }
}

// The kernel vouches for the sender. All the same it may only be the worker that was ordered, and a
// child of ours: a template is not trusted to choose whom the master kills.
void TemplateProcess::hear_workers() {
  std::uint32_t id = 0;
  pid_t pid = -1;
  while (link_) {
    const pyhost::Received received = pyhost::receive_forked(link_.get(), id, pid);
    if (received == pyhost::Received::nothing) return;
    const bool expected = received == pyhost::Received::message && current_ && current_->id == id &&
                          pid != this->pid() && is_our_child(pid);
    // Its end follows: it finds no orders any more.
    if (!expected) return link_.reset();
    current_->pid = pid;
    outcomes_.push_back({std::move(*current_), std::nullopt});
    current_.reset();
  }
}

// Why none comes is best known when a template that broke off is reaped.
void TemplateProcess::look_after_current() {
  if (!current_ || (!link_ && !ended_) || !is_readable(current_->status)) return;
  // A worker reports itself before it says anything here, or ends.
  hear_workers();
  if (!current_) return;
  const auto line = read_status_line(current_->status, current_text_);
  if (!line && current_->status) return;
  const std::uint32_t id = current_->id;
  current_.reset();
  if (line) return fail(id, parse_complaint(*line, pool_.places));
  const StartupError died{ExitStatus::bug, concat(object(), " did not fork it to the end")};
  fail(id, end_.value_or(died));
}

void TemplateProcess::send_next() {
  if (!ready_ || !link_ || current_ || orders_.empty() || !takes_orders()) return;
  const Order order = orders_.front();
  orders_.pop_front();
  SpawnedWorker worker;
  worker.id = order.worker;
  pyhost::ForkOrder message{order.worker, order.number, {}};
  if (const auto error = open_worker_ends(pool_, worker, message.side)) {
    return fail(order.worker, {ExitStatus::system,
                               concat("cannot create the channel of a worker: ", error.message())});
  }
  // If that fails, the template has ended and is about to be reaped.
  if (!pyhost::send_order(link_.get(), message)) link_.reset();
  current_ = std::move(worker);
  current_text_.clear();
}

void TemplateProcess::fail(std::uint32_t worker, const StartupError& why) {
  SpawnedWorker none;
  none.id = worker;
  outcomes_.push_back({std::move(none), why});
}

void TemplateProcess::fail_waiting(const StartupError& why) {
  if (!end_) end_ = why;
  for (const Order& order : std::exchange(orders_, {})) fail(order.worker, *end_);
}

void TemplateProcess::cancel_orders(const StartupError& why) {
  fail_waiting(why);
  if (current_) fail(current_->id, *end_);
  current_.reset();
}

std::string TemplateProcess::on_exited(int wait_status, TimePoint now) {
  hear(now);
  ended_ = true;
  const bool complained = end_.has_value();
  const std::string what =
      ready_ ? concat(describe_exit(wait_status), ", after ", age_text(process_.started(), now))
             : concat(describe_exit(wait_status), " before it was ready");
  const bool waited_for = current_ || !orders_.empty();
  fail_waiting(ready_ ? StartupError{ExitStatus::temporary, concat(object(), " ", what)}
                      : early_end(pool_, object(), wait_status, process_.has_begun()));
  return complained || doomed_ || waited_for ? "" : what;
}

}  // namespace pycgid
