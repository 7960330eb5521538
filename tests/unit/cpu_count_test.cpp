// CPUs that may be used, seen in trees of files as kernels and containers make them.
#include "daemon/cpu_count.h"

#include "tests/unit/catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <string>

namespace {

using namespace pycgid;
namespace fs = std::filesystem;

// What is below / , as far as it matters.
class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~Tree() { fs::remove_all(root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Tree& add(const std::string& path, const std::string& text) {
    const fs::path file = root_.string() + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return *this;
  }
  std::string root() const { return root_.string(); }

 private:
  fs::path root_;
};

constexpr const char* kV2Mount =
    "25 30 0:23 / /sys rw - sysfs sysfs rw\n"
    "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* kV1Mounts =
    "33 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "34 25 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "35 25 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

TEST_CASE("cpus: a quota of cgroup v2 is rounded up", "[cpus]") {
  Tree tree;
  tree.add("/proc/self/mountinfo", kV2Mount).add("/proc/self/cgroup", "0::/pod/app\n");
  CHECK(cgroup_cpus(tree.root()).count == 0);
  tree.add("/sys/fs/cgroup/pod/app/cpu.max", "150000 100000\n");
  const CpuCount cpus = cgroup_cpus(tree.root());
  CHECK(cpus.count == 2);
  CHECK(cpus.why == "quota of 1.5 CPUs of /sys/fs/cgroup/pod/app");
  tree.add("/sys/fs/cgroup/pod/app/cpu.max", "5000 100000\n");
  CHECK(cgroup_cpus(tree.root()).count == 1);
  tree.add("/sys/fs/cgroup/pod/app/cpu.max", "max 100000\n");
  CHECK(cgroup_cpus(tree.root()).count == 0);
}

TEST_CASE("cpus: the least quota on the way up counts", "[cpus]") {
  Tree tree;
  tree.add("/proc/self/mountinfo", kV2Mount).add("/proc/self/cgroup", "0::/slice/pod/app\n");
  tree.add("/sys/fs/cgroup/slice/pod/app/cpu.max", "max 100000\n");
  tree.add("/sys/fs/cgroup/slice/pod/cpu.max", "800000 100000\n");
  tree.add("/sys/fs/cgroup/slice/cpu.max", "40000 20000\n");
  CHECK(cgroup_cpus(tree.root()).count == 2);
  CHECK(cgroup_cpus(tree.root()).why == "quota of 2 CPUs of /sys/fs/cgroup/slice");
}

TEST_CASE("cpus: a quota of cgroup v1", "[cpus]") {
  Tree tree;
  tree.add("/proc/self/mountinfo", kV1Mounts);
  tree.add("/proc/self/cgroup", "9:memory:/other\n4:cpu,cpuacct:/pod\n3:cpuset:/\n0::/v2\n");
  const std::string pod = "/sys/fs/cgroup/cpu,cpuacct/pod/";
  tree.add(pod + "cpu.cfs_quota_us", "-1\n").add(pod + "cpu.cfs_period_us", "100000\n");
  CHECK(cgroup_cpus(tree.root()).count == 0);
  tree.add(pod + "cpu.cfs_quota_us", "250000\n");
  CHECK(cgroup_cpus(tree.root()).count == 3);
  CHECK(cgroup_cpus(tree.root()).why == "quota of 2.5 CPUs of /sys/fs/cgroup/cpu,cpuacct/pod");
}

TEST_CASE("cpus: a container that sees its own group as the mount", "[cpus]") {
  Tree tree;
  const std::string here = "/docker/0123";
  tree.add("/proc/self/mountinfo",
           "35 25 0:30 " + here + " /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
  tree.add("/proc/self/cgroup", "4:cpu:" + here + "\n");
  tree.add("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  tree.add("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(cgroup_cpus(tree.root()).count == 2);
  tree.add("/proc/self/cgroup", "4:cpu:" + here + "/inner\n");
  CHECK(cgroup_cpus(tree.root()).count == 2);
  tree.add("/proc/self/cgroup", "4:cpu:/\n");
  CHECK(cgroup_cpus(tree.root()).count == 2);
}

TEST_CASE("cpus: a group outside of the namespace, and blanks in a path", "[cpus]") {
  Tree tree;
  tree.add("/proc/self/mountinfo", "35 25 0:30 / /mnt/c\\040g rw - cgroup2 cgroup2 rw\n");
  tree.add("/proc/self/cgroup", "0::/../../other\n");
  tree.add("/mnt/c g/cpu.max", "100000 100000\n");
  CHECK(cgroup_cpus(tree.root()).count == 1);
}

TEST_CASE("cpus: files that are not there, or hold nonsense, are no quota", "[cpus]") {
  Tree tree;
  CHECK(cgroup_cpus(tree.root()).count == 0);
  for (const char* nonsense : {"", "\n", "max", "1", "1 0", "x y", "-1 100000", "1 1 1 1\nmax",
                               "99999999999999999999999 100000"}) {
    tree.add("/proc/self/mountinfo", kV2Mount).add("/proc/self/cgroup", "0::/\n");
    tree.add("/sys/fs/cgroup/cpu.max", nonsense);
    INFO(nonsense);
    CHECK(cgroup_cpus(tree.root()).count <= 1);
    tree.add("/proc/self/mountinfo", nonsense).add("/proc/self/cgroup", nonsense);
    CHECK(cgroup_cpus(tree.root()).count == 0);
  }
}

TEST_CASE("cpus: affinity and the least quota, with the reason", "[cpus]") {
  Tree tree;
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  tree.add("/sys/devices/system/cpu/online", "0-3,8-83\n");
  const unsigned allowed = static_cast<unsigned>(CPU_COUNT(&before));
  CHECK(usable_cpus(tree.root()).count == allowed);
  CHECK(usable_cpus(tree.root()).why == "affinity, of 80");
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  const CpuCount confined = usable_cpus(tree.root());
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(confined.count == 1);
  tree.add("/proc/self/mountinfo", kV2Mount).add("/proc/self/cgroup", "0::/\n");
  tree.add("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  if (allowed > 1) {
    CHECK(usable_cpus(tree.root()).count == 1);
    CHECK(usable_cpus(tree.root()).why == "quota of 0.5 CPUs of /sys/fs/cgroup, of 80");
  }
}

}  // namespace
