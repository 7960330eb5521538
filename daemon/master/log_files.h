// All logs that options "log", "access-log" and "slow-log" name, each file opened once, whoever
// writes to it.
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
  explicit LogFiles(const Settings& settings);

  // Opens them and directs the error log where it belongs. Throws StartupError.
  void open();
  // Throws the same StartupError when open() would, and changes nothing.
  void check() const;

  // Other settings are about to come into force: opens the logs that they name and that are not
  // open yet. Throws StartupError.
  void prepare_error_log(const Settings& next);
  void prepare(const PoolSettings& next);
  // They are in force: the error log goes where it belongs now, and files that none of `pools` and
  // no error log names are closed.
  void direct_error_log() const;
  void keep_only(const std::vector<const PoolSettings*>& pools);

  // Opens them anew, as log rotation asks.
  void reopen();

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
  void add(const std::string& where, std::string_view option);
  void add_opened(const std::string& where, std::string_view option);
  pyhost::UniqueFd file_at(std::string_view where) const;
  const LogFile* find(std::string_view where) const;
  void write_error_log_to_file() const;

  const Settings& settings_;
  std::vector<LogFile> files_;
  std::chrono::steady_clock::time_point due_{};
};

}  // namespace pycgid
