// Reading the configuration again while the daemon runs, and bringing it into force: global options
// at once, each pool as ManagedPool does it. Runs on the master's one thread.
#pragma once

#include "daemon/config_file.h"
#include "daemon/master/log_files.h"
#include "daemon/master/look.h"
#include "daemon/master/pool_set.h"
#include "daemon/master/task_guard.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace pycgid {

// A configuration as it was written and as it is meant; the pools stand in the same order in both.
struct LoadedConfiguration {
  Configuration written;
  Settings settings;
};

// Throws StartupError.
LoadedConfiguration load(const ConfigSource& source);

// Of the pools in a configuration.
std::vector<PoolConfig> pool_configs(const LoadedConfiguration& configuration);

// What a start and -t look at before anything else, and change nothing by: the directory of
// temporary files, logs and pid file. Throws StartupError.
void check_daemon(const Settings& settings);

class Reconfiguration {
 public:
  // Everything outlives it. `in_force` is what the pools and logs were made from; it changes.
  Reconfiguration(const ConfigSource& source, LoadedConfiguration& in_force,
                  const PoolContext& context, PoolSet& pools)
      : source_(source), in_force_(in_force), context_(context), pools_(pools) {}

  // Reads the configuration again, and begins to look at what it names; an earlier one that is not
  // over is forgotten. Returns what is wrong, which was logged and changes nothing; "" when nothing
  // is.
  std::string begin(TimePoint now);
  bool is_looking() const { return next_ != nullptr; }
  // For the look: what to poll, -1 when there is nothing, and until when.
  int fd() const { return next_ ? next_->look->fd() : -1; }
  std::optional<TimePoint> next_due() const;
  void on_exited(pid_t pid);
  // Whether the look has come to its end; finish() then.
  bool has_looked(TimePoint now) const;
  // Brings what changed into force, and has all applications loaded anew. Returns as begin().
  std::string finish(TimePoint now);
  void cancel() { next_.reset(); }

 private:
  using Configs = std::vector<PoolConfig>;
  struct Next {
    LoadedConfiguration configuration{};
    std::optional<Look> look{};  // at temp-dir
  };

  static std::string refused(std::string why);
  void check(const LoadedConfiguration& next) const;
  void check_addresses(const PoolConfig& config, const Configs& wanted) const;
  const ManagedPool* holder_of(const Address& address) const;
  void apply_global(LoadedConfiguration next);
  void apply_backlog() const;
  void tell_global(pyhost::UniqueFd text) const;
  // Says which pool could not be changed, "" when all were.
  std::string apply_pools(Configs wanted, TimePoint now);
  void apply_pool(PoolConfig config, std::list<BoundSocket> offer, TimePoint now);

  const ConfigSource& source_;
  LoadedConfiguration& in_force_;
  PoolContext context_;
  PoolSet& pools_;
  std::unique_ptr<Next> next_;
  TaskGuard guard_;
};

}  // namespace pycgid
