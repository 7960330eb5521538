// Which descriptors a child keeps, on kernels and in sandboxes without close_range(2), too.
#include "daemon/master/descriptors.h"

#include "pyhost/unique_fd.h"
#include "tests/unit/catch.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace pycgid;

// From here on this process has no close_range(2).
bool forget_close_range() {
  constexpr auto number = static_cast<unsigned>(offsetof(seccomp_data, nr));
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

// Whether a child with some descriptors open has only those that it is to keep.
bool keeps_what_it_should() {
  constexpr int kFirst = 20;
  constexpr int kEnd = 28;
  for (int fd = kFirst; fd < kEnd; ++fd) ::dup2(STDERR_FILENO, fd);
  std::array kept{kEnd - 1, kFirst + 2};
  close_descriptors_except(kept);
  bool right = is_open(STDIN_FILENO) && is_open(STDOUT_FILENO) && is_open(STDERR_FILENO);
  for (int fd = STDERR_FILENO + 1; fd < kEnd + 10; ++fd) {
    right = right && is_open(fd) == (fd == kFirst + 2 || fd == kEnd - 1);
  }
  return right;
}

// The status of a child that runs `body`.
template <typename Body>
int status_of(Body body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

TEST_CASE("descriptors: a child keeps its own alone", "[master]") {
  CHECK(status_of([] { return keeps_what_it_should() ? 0 : 1; }) == 0);
}

TEST_CASE("descriptors: where close_range is unknown they are closed one by one", "[master]") {
  CHECK(status_of([] {
          if (!forget_close_range()) return 2;
          return keeps_what_it_should() ? 0 : 1;
        }) == 0);
}

}  // namespace
