// What the kernel knows about the memory of another process, see process_memory.h.
#include "daemon/master/process_memory.h"

#include "daemon/read_file.h"

#include <sstream>
#include <string>
#include <unistd.h>

namespace pycgid {

std::uint64_t resident_bytes(pid_t pid) {
  std::istringstream statm(read_file("/proc/" + std::to_string(pid) + "/statm").text);
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(statm >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace pycgid
