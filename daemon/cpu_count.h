// How many CPUs this process may use: what affinity allows, and what the quotas of its control
// groups give it time for, rounded up. A container on a large machine has few.
#pragma once

#include <string>

namespace pycgid {

struct CpuCount {
  unsigned count = 1;
  std::string why{};  // "affinity", "quota of 1.5 CPUs of /sys/fs/cgroup/pod"; empty: all there are
};

// `root` is before the paths in /proc and /sys, for tests.
CpuCount usable_cpus(const std::string& root = "");

// The quotas alone: the least of the process's control group and all above it; 0: none.
CpuCount cgroup_cpus(const std::string& root);

}  // namespace pycgid
