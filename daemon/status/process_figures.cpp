// A process's memory and CPU time, see report.h.
#include "daemon/read_file.h"
#include "daemon/status/report.h"
#include "daemon/text.h"

#include <algorithm>
#include <sstream>
#include <unistd.h>

namespace pycgid {
namespace {

std::string proc_file(pid_t pid, std::string_view name) {
  return concat("/proc/", pid, "/", name);
}

}  // namespace

std::optional<std::uint64_t> resident_memory(pid_t pid) {
  std::istringstream file(read_file(proc_file(pid, "statm")).text);
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(file >> size >> resident)) return std::nullopt;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<Milliseconds> cpu_time(pid_t pid) {
  // proc(5): utime and stime are the fields 14 and 15; the name, field 2, may hold anything but
  // ends with the last parenthesis.
  constexpr int kBetween = 11;
  const std::string line = read_file(proc_file(pid, "stat")).text;
  std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::string skipped;
  for (int i = 0; i < kBetween; ++i) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return Milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

}  // namespace pycgid
