// Looks at the files that a plan needs, which the master does not wait for. Part of ManagedPool,
// see managed_pool.h.
#include "daemon/log.h"
#include "daemon/master/failure_text.h"
#include "daemon/master/managed_pool.h"
#include "daemon/text.h"

#include <unistd.h>
#include <utility>
#include <vector>

namespace pycgid {

// One that is on its way already is given up: it may have seen what was there before.
void ManagedPool::begin_look(Plan plan, Purpose purpose, const std::vector<Address>& unbound) {
  looking_.reset();
  std::unique_ptr<Looking> looking(new Looking{purpose, std::move(plan)});
  const PoolSettings& settings = looking->plan.config.settings;
  looking->environment = worker_environment(settings, looking->plan.credentials, environ);
  LookRequest request = worker_look(context_.global, settings, looking->plan.credentials,
                                    {looking->environment, unbound});
  looking->look.emplace(std::move(request), std::chrono::steady_clock::now());
  looking_ = std::move(looking);
}

void ManagedPool::advance_look(TimePoint now) {
  if (!looking_) return;
  looking_->look->read();
  if (!looking_->look->is_over(now)) return;
  const std::unique_ptr<Looking> over = std::move(looking_);
  if (over->purpose == Purpose::start) {
    finish_prepare(*over);
    // Before there is a gateway nothing is started; boot() comes when there is.
    if (context_.host.has_gateway()) boot(now);
  } else {
    finish_reload(*over, now);
  }
}

// Throws StartupError.
void ManagedPool::complete(Looking& over) const {
  LookResult seen = over.look->result();
  for (const std::string& note : seen.notes) log_warning(note);
  over.plan.command = worker_command(context_.global, over.plan.config.settings,
                                     std::move(over.environment), std::move(seen.text));
}

void ManagedPool::finish_prepare(Looking& over) {
  auto wrong = failure_of([&] {
    complete(over);
    context_.logs.prepare(settings());
    send_logs();
    plan_ = std::move(over.plan);
  });
  if (wrong) failure_ = std::move(wrong);
}

// Workers are started with what the old gateway's were, or with what is asked for by then.
void ManagedPool::abandon_look() {
  if (!looking_ || looking_->purpose == Purpose::start) return;
  if (is_change(looking_->plan.config) && !wanted_) {
    wanted_ = Wanted{looking_->plan.config, std::move(looking_->offers)};
  }
  looking_.reset();
}

}  // namespace pycgid
