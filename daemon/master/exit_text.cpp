// How a process ended, see exit_text.h.
#include "daemon/master/exit_text.h"

#include "daemon/text.h"

#include <cstring>
#include <sys/wait.h>

namespace pycgid {

std::string describe_exit(int wait_status) {
  if (WIFEXITED(wait_status)) return concat("exited with status ", WEXITSTATUS(wait_status));
  const int signal = WTERMSIG(wait_status);
  return concat("was killed by signal ", signal, " (", ::strsignal(signal), ")",
                WCOREDUMP(wait_status) ? ", core dumped" : "");
}

bool exited_cleanly(int wait_status) {
  return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

}  // namespace pycgid
