// Which descriptors a process holds: tidied once at start, and in each child.
#pragma once

#include <span>

namespace pycgid {

// At start: opens /dev/null where 0, 1 or 2 is closed, so that no socket ever gets such a number.
void open_standard_descriptors();

// In a child: closes every descriptor from 3 on that is not in `kept`. Async-signal-safe.
void close_descriptors_except(std::span<int> kept);

}  // namespace pycgid
