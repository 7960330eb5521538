// What ps(1) shows, see process_title.h.
#include "daemon/master/process_title.h"

#include <algorithm>
#include <cstring>
#include <sys/prctl.h>

namespace pycgid {

ProcessTitle::ProcessTitle(int argc, char** argv) {
  if (argc <= 0) return;
  // The kernel lays the strings out one behind the other; stop where that is not so.
  char* end = argv[0];
  for (int i = 0; i < argc && argv[i] == end; ++i) end += std::strlen(argv[i]) + 1;
  area_ = {argv[0], end};
}

void ProcessTitle::set(std::string_view title) const {
  // What pidof(1), killall(1) and top(1) know a process by: the program's name, as for any other.
  prctl(PR_SET_NAME, "pycgid");
  if (area_.empty()) return;
  std::ranges::fill(area_, '\0');
  // The last byte stays NUL: otherwise the kernel takes the environment for a part of the title.
  std::ranges::copy(title.substr(0, area_.size() - 1), area_.begin());
}

}  // namespace pycgid
