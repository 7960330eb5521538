// What the kernel knows about the memory of another process.
#pragma once

#include <cstdint>
#include <sys/types.h>

namespace pycgid {

// Its resident set; 0 when there is no such process.
std::uint64_t resident_bytes(pid_t pid);

}  // namespace pycgid
