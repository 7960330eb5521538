// What a worker writes: entries for the log on its log socket (pyhost/log_socket.h), and whatever C
// code, or a child, writes to standard output and error, line by line. Whoever reads one reads the
// entries first: they were there before what a dying worker writes last.
#pragma once

#include "daemon/gateway/slow_log.h"
#include "pyhost/log_socket.h"
#include "pyhost/unique_fd.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace pycgid {

class WorkerOutput {
 public:
  // `name` is "blog/2[4711]"; `pipe` and `entries` are the reading ends; `slow_log` is for entries
  // of the level for it.
  WorkerOutput(std::string name, pyhost::UniqueFd pipe, pyhost::UniqueFd entries,
               std::shared_ptr<SlowLog> slow_log);

  int pipe_fd() const { return pipe_.get(); }
  int entries_fd() const { return entries_.get(); }
  // Logs some of what is there, so much that others' turns come soon. False at the end of that
  // descriptor.
  bool read_pipe();
  bool read_entries();
  // Logs what is left, without waiting for the end: the worker is gone, but a child of it may live.
  void read_rest();

 private:
  enum class Got { bytes, nothing, end };
  Got read_entry();
  Got read_bytes();
  void take(std::string_view bytes);
  void end_line();
  void log_entry(const pyhost::LogEntry& entry);
  void spend(std::size_t bytes);

  std::string name_;
  pyhost::UniqueFd pipe_;
  pyhost::UniqueFd entries_;
  std::shared_ptr<SlowLog> slow_log_;  // a child of the worker may outlive the pool
  std::string line_;                   // of the pipe, without its end so far
  std::size_t dropped_ = 0;            // bytes of it that are too many
  std::size_t left_ = 0;               // to be logged in this turn
};

}  // namespace pycgid
