// What a worker writes to its standard output and error, line by line into the log. Lines of pyhost
// carry a mark: "\x01" LEVEL REQUEST_ID "\x01" TEXT; others (written by C code, or by children) do
// not.
#pragma once

#include "daemon/gateway/slow_log.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <memory>
#include <string>
#include <string_view>

namespace pycgid {

class WorkerOutput {
 public:
  // `name` is "blog/2[4711]"; `pipe` is the reading end; `slow_log` is for lines of the level for
  // it.
  WorkerOutput(std::string name, pyhost::UniqueFd pipe, std::shared_ptr<const SlowLog> slow_log);

  int fd() const { return pipe_.get(); }
  // Logs what is there. False at the end of the output.
  bool read();
  // Logs what is left, without waiting for the end: the worker is gone, but a child of it may live.
  void read_rest();

 private:
  enum class Got { bytes, nothing, end };
  Got read_once();
  void take(std::string_view bytes);
  void log_partial();
  void log_one(std::string_view line) const;

  std::string name_;
  pyhost::UniqueFd pipe_;
  std::shared_ptr<const SlowLog> slow_log_;  // a child of the worker may outlive the pool
  std::string partial_;
};

}  // namespace pycgid
