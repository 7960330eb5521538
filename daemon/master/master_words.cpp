// What the master says of its pools. Part of Master, see master.h.
#include "daemon/cpu_count.h"
#include "daemon/log.h"
#include "daemon/master/master.h"
#include "daemon/text.h"

#include <string>
#include <string_view>

namespace pycgid {
namespace {

std::string plural(unsigned count, std::string_view thing) {
  return concat(count, " ", thing, count == 1 ? "" : "s");
}

// "4 workers", "2-8 workers"
std::string staff_text(const PoolSettings& pool) {
  const bool is_range = pool.processes_min < pool.processes_max;
  return concat(is_range ? concat(pool.processes_min, "-") : "",
                plural(pool.processes_max, "worker"));
}

}  // namespace

// How many processes a pool has by itself depends on it.
void Master::tell_start() {
  const CpuCount cpus = usable_cpus();
  log_notice(concat("starting: pycgid ", PYCGID_VERSION, " on ", plural(cpus.count, "CPU"),
                    cpus.why.empty() ? "" : concat(" (", cpus.why, ")")));
}

void Master::announce_none() {
  log_notice("ready: no pool is described yet; add one to the configuration and reload (HUP)");
}

void Master::announce(const ManagedPool& pool) const {
  const PoolSettings& settings = pool.settings();
  log_notice(concat("ready: pool ", in_quotes(settings.name), ", ", staff_text(settings), " x ",
                    plural(settings.threads, "thread"), settings.preload ? ", preloaded" : "",
                    ", on ", pool.addresses_text()));
}

}  // namespace pycgid
