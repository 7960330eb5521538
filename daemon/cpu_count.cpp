// CPUs that may be used, see cpu_count.h. Files: cgroups(7), proc(5) of mountinfo, and the kernel's
// admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (cpu.cfs_quota_us).
#include "daemon/cpu_count.h"

#include "daemon/option_values.h"
#include "daemon/read_file.h"
#include "daemon/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sched.h>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace pycgid {
namespace {

// In thousandths of a CPU.
using Quota = std::optional<std::uint64_t>;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool has_item(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::string_view first = list.substr(0, list.find(','));
    if (first == item) return true;
    list.remove_prefix(std::min(first.size() + 1, list.size()));
  }
  return false;
}

Quota quota_of(std::string_view quota, std::string_view period) {
  const auto time = parse_number(quota);  // "max" and -1 are no limit
  const auto every = parse_number(period);
  if (!time || !every || *every == 0 || *time > UINT64_MAX / 1000) return std::nullopt;
  return *time * 1000 / *every;
}

std::string first_word(const std::string& path) {
  const std::vector<std::string> words = words_of(read_file(path).text);
  return words.empty() ? "" : words.front();
}

Quota quota_at(const std::string& directory, bool is_v2) {
  if (!is_v2) {
    return quota_of(first_word(directory + "/cpu.cfs_quota_us"),
                    first_word(directory + "/cpu.cfs_period_us"));
  }
  const std::vector<std::string> words = words_of(read_file(directory + "/cpu.max").text);
  return words.size() < 2 ? std::nullopt : quota_of(words[0], words[1]);
}

// Where a hierarchy is seen: the directory `root` of it at `point`.
struct Mount {
  std::string root;
  std::string point;
};

// Blanks in paths are written as \040.
std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const bool escaped = text[i] == '\\' && i + 3 < text.size();
    if (escaped) {
      for (std::size_t k = 1; k <= 3; ++k)
        code = code * 8 + static_cast<unsigned>(text[i + k] - '0');
      i += 3;
    }
    result += escaped ? static_cast<char>(code & 0xffU) : text[i];
  }
  return result;
}

// "36 35 98:0 /ROOT /POINT rw,noatime master:1 - cgroup2 cgroup rw,nsdelegate"
std::optional<Mount> find_mount(const std::string& mountinfo, bool is_v2) {
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const bool fits =
        is_v2 ? dash[1] == "cgroup2" : dash[1] == "cgroup" && has_item(dash[3], "cpu");
    if (fits) return Mount{unescaped(words[3]), unescaped(words[4])};
  }
  return std::nullopt;
}

// The process's own path in a hierarchy: "0::/pod/app" of v2, "4:cpu,cpuacct:/pod/app" of v1.
std::optional<std::string> find_path(const std::string& cgroup, bool is_v2) {
  std::istringstream lines(cgroup);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', std::min(first, line.size() - 1) + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view controllers =
        std::string_view(line).substr(first + 1, second - first - 1);
    const bool fits = is_v2 ? controllers.empty() : has_item(controllers, "cpu");
    if (fits) return line.substr(second + 1);
  }
  return std::nullopt;
}

// From the process's control group up to where the hierarchy is mounted. A container may see its
// own group as the mount itself, whatever its path outside is.
std::vector<std::string> directories(const Mount& mount, std::string path) {
  const bool is_below =
      path == mount.root || mount.root == "/" || path.starts_with(mount.root + "/");
  if (!is_below || path.starts_with("/..")) path = mount.root;
  if (mount.root != "/") path.erase(0, mount.root.size());
  while (path.ends_with('/')) path.pop_back();
  std::vector<std::string> found;
  for (;;) {
    found.push_back(mount.point + path);
    if (path.empty()) return found;
    path.erase(std::min(path.rfind('/'), path.size()));
  }
}

struct Least {
  Quota quota{};
  std::string directory{};
};

void consider(const std::string& root, bool is_v2, Least& least) {
  const auto mount = find_mount(read_file(root + "/proc/self/mountinfo").text, is_v2);
  const auto path = find_path(read_file(root + "/proc/self/cgroup").text, is_v2);
  if (!mount || !path) return;
  for (const std::string& directory : directories(*mount, *path)) {
    const Quota quota = quota_at(root + directory, is_v2);
    if (!quota || (least.quota && *least.quota <= *quota)) continue;
    least = {quota, directory};
  }
}

// "2", "1.5", "0.25"
std::string thousandths_text(std::uint64_t thousandths) {
  std::string text = std::to_string(thousandths / 1000);
  if (thousandths % 1000 == 0) return text;
  std::string rest = std::to_string(1000 + thousandths % 1000).substr(1);
  while (rest.ends_with('0')) rest.pop_back();
  return text + "." + rest;
}

unsigned affinity_cpus() {
  // A machine may have more CPUs than cpu_set_t: EINVAL asks for a larger set.
  for (std::size_t cpus = 1024; cpus <= std::size_t{1} << 20; cpus *= 4) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) break;
    const bool told = ::sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set) == 0;
    const int count = told ? CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set) : 0;
    CPU_FREE(set);
    if (count > 0) return static_cast<unsigned>(count);
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

// Processors of the machine, whoever may use them.
unsigned online_cpus(const std::string& root) {
  // "0-3,8-11"
  std::istringstream ranges(first_word(root + "/sys/devices/system/cpu/online"));
  std::uint64_t count = 0;
  for (std::string range; std::getline(ranges, range, ',');) {
    const std::size_t dash = std::min(range.find('-'), range.size());
    const auto first = parse_number(range.substr(0, dash));
    const auto last = dash == range.size() ? first : parse_number(range.substr(dash + 1));
    if (!first || !last || *last < *first || *last > 1'000'000) return 0;
    count += *last - *first + 1;
  }
  return static_cast<unsigned>(std::min<std::uint64_t>(count, 1'000'000));
}

}  // namespace

CpuCount cgroup_cpus(const std::string& root) {
  Least least;
  for (bool is_v2 : {true, false}) consider(root, is_v2, least);
  if (!least.quota) return {0, {}};
  const std::uint64_t cpus = std::clamp<std::uint64_t>((*least.quota + 999) / 1000, 1, 1'000'000);
  return {static_cast<unsigned>(cpus),
          concat("quota of ", thousandths_text(*least.quota), " CPUs of ", least.directory)};
}

CpuCount usable_cpus(const std::string& root) {
  CpuCount result{affinity_cpus(), {}};
  const unsigned online = online_cpus(root);
  if (online > result.count) result.why = concat("affinity, of ", online);
  CpuCount quota = cgroup_cpus(root);
  if (quota.count > 0 && quota.count < result.count) {
    quota.why = concat(quota.why, ", of ", std::max(online, result.count));
    return quota;
  }
  return result;
}

}  // namespace pycgid
