// The templates of one pool with option "preload", one for each generation that has workers:
// started when the first worker is ordered, again when it has died and another worker is ordered,
// ended when its generation is. Runs on the master's one thread.
#pragma once

#include "daemon/master/pool_supervisor.h"
#include "daemon/master/template_process.h"
#include "daemon/master/worker_spawn.h"

#include <cstdint>
#include <list>
#include <string>
#include <sys/types.h>
#include <vector>

namespace pycgid {

class PoolTemplates {
 public:
  // `index` is the pool's number in messages. All outlive it.
  PoolTemplates(std::uint32_t index, PoolHost& host, PoolSupervisor& workers)
      : index_(index), host_(host), workers_(workers) {}

  // Has `worker`, which has its id already, forked as number `number` of its generation: hear()
  // will tell the supervisor of it. Returns what went wrong, "" when nothing did.
  std::string order(const WorkerPlan& plan, std::uint32_t number, std::uint32_t generation,
                    SpawnedWorker& worker);
  // The worker does not come: what is to fork it is killed.
  void give_up(std::uint32_t worker);

  // What to wait for; hear() then, and after orders.
  std::vector<int> fds() const;
  void hear(TimePoint now);
  // Whether hear() has something to tell at once.
  bool has_news() const;
  // Ends templates of which nobody needs more workers.
  void tidy();

  bool owns(pid_t pid) const;
  // Template `pid`, one of ours, was reaped.
  void on_exited(pid_t pid, int wait_status, TimePoint now);
  void kill_all();
  bool is_empty() const { return templates_.empty(); }

 private:
  std::string start(const WorkerPlan& plan, std::uint32_t generation);
  void kill(TemplateProcess& process);
  void tell(MessageType type, const TemplateProcess& process, std::string text,
            std::vector<pyhost::UniqueFd> fds = {});

  std::uint32_t index_;
  PoolHost& host_;
  PoolSupervisor& workers_;
  std::list<TemplateProcess> templates_;
};

}  // namespace pycgid
