// All logs that options "log", "access-log" and "slow-log" name, each file opened once, whoever
// writes to it. The logs of a pool are opened as the pool is prepared, and are its own trouble.
#pragma once

#include "daemon/master/log_file.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

class LogFiles {
 public:
  // `settings` outlive the logs and may change.
  explicit LogFiles(const Settings& settings) : settings_(settings) {}

  // Opens the error log and directs it where it belongs. Throws StartupError.
  void open();
  // Throw the same StartupError when open() or prepare() would, and change nothing.
  static void check_error_log(const Settings& settings);
  static void check(const PoolSettings& pool);

  // Settings are about to come into force: opens the logs that they name and that are not open yet.
  // Throws StartupError.
  void prepare_error_log(const Settings& next);
  void prepare(const PoolSettings& next);
  // They are in force: the error log goes where it belongs now, and files that none of `pools` and
  // no error log names are closed.
  void direct_error_log() const;
  void keep_only(const std::vector<const PoolSettings*>& pools);

  // Opens them anew, as log rotation asks. Returns why some were not, a line for each.
  std::string reopen();

  // When to call tend() next; never when no log is a file.
  std::optional<std::chrono::steady_clock::time_point> next_due() const;
  // Replaces files that were moved or removed, or have grown to option "rotate-size". True: some
  // were.
  bool tend(std::chrono::steady_clock::time_point now);

  // Descriptors to pass on; empty when there is none of that log: it is off, or no file.
  pyhost::UniqueFd error_log() const;
  pyhost::UniqueFd access_log(const PoolSettings& pool) const;
  pyhost::UniqueFd slow_log(const PoolSettings& pool) const;

 private:
  void add_opened(const std::string& where, std::string option);
  pyhost::UniqueFd file_at(std::string_view where) const;
  const LogFile* find(std::string_view where) const;
  void write_error_log_to_file() const;

  const Settings& settings_;
  std::vector<LogFile> files_;
  std::chrono::steady_clock::time_point due_{};
};

}  // namespace pycgid
