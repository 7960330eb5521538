// Descriptors of the daemon's inside an application's process, where any code may close them, or
// put a file of its own in their place.
//
// They stand far above those that the application opens, and, where the hard limit allows it, above
// the soft limit: there neither open() nor dup2() can put anything, and loops that close all
// descriptors up to the limit do not come. The open file behind each carries a mark, which is
// looked at before anything is written to it. No Python here.
#pragma once

#include "pyhost/unique_fd.h"

#include <string_view>
#include <sys/resource.h>

namespace pyhost {

// One above the highest of ours, unless the limit is lower. Not higher, because the kernel keeps a
// table up to the highest open descriptor for each process, and copies it at every fork: 32 KiB
// here, 8 MiB for a million. Not lower, because old daemon code closes everything up to 1024 or
// 2048.
inline constexpr int kOwnFdsEnd = 4096;

// The open file behind `fd` is one of ours from now on, in every process that has it.
void mark_as_ours(int fd);
// Whether it still is; false also when `fd` is closed. One system call, the cheapest that looks at
// an open file: 0.16 us where fstat(2) takes 0.37 and a ring of the bell 0.25.
bool is_ours(int fd);

// Until the end of its life descriptors can stand above the soft limit. For the only thread of a
// process. Async-signal-safe.
class RaisedFileLimit {
 public:
  RaisedFileLimit();
  ~RaisedFileLimit();
  RaisedFileLimit(const RaisedFileLimit&) = delete;
  RaisedFileLimit& operator=(const RaisedFileLimit&) = delete;

  // One above the highest possible descriptor of ours.
  int end() const { return end_; }

 private:
  rlimit before_{};
  int end_ = 0;
};

// Moves one that came with the lowest free number to where ours stand. It stays where it is when it
// cannot be moved. For the only thread of a process.
void move_away(UniqueFd& fd);

// As UniqueFd::reset(), but what has taken the place of ours is left alone.
void close_ours(UniqueFd& fd);

// The worker cannot go on: the application has closed the descriptor called `name`, or replaced it.
// Says so and ends the process, so that another one is started.
[[noreturn]] void end_without(std::string_view name);

}  // namespace pyhost
