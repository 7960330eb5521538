// How a process ended, in words. Pure.
#pragma once

#include <string>

namespace pycgid {

// From the status of waitpid(2): "exited with status 1", "was killed by signal 11 (Segmentation
// fault), core dumped".
std::string describe_exit(int wait_status);

// Whether it ended by itself with status 0.
bool exited_cleanly(int wait_status);

}  // namespace pycgid
