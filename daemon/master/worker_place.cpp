// Looking at files as the workers will see them, see worker_place.h.
#include "daemon/master/worker_place.h"

#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "pyhost/unique_fd.h"

#include <array>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace pycgid {
namespace {

void enter(const PoolSettings& pool, const Credentials& credentials) {
  if (!pool.chroot.empty() && (::chroot(pool.chroot.c_str()) != 0 || ::chdir("/") != 0)) {
    const std::string_view advice = errno == EPERM ? "; this takes root" : "";
    fail_start(ExitStatus::configuration,
               concat("cannot change the root directory to ", in_quotes(pool.chroot), ": ",
                      reason(errno), " ", pool.places.text("chroot"), advice));
  }
  if (!drop_privileges(credentials)) {
    fail_start(ExitStatus::system, concat("cannot change to user ", in_quotes(pool.user), ": ",
                                          reason(errno), " ", pool.places.text("user")));
  }
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::write(fd, text.data(), text.size());
    if (sent < 0 && errno != EINTR) return;
    if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

// Never returns to what the master would do next.
[[noreturn]] void look_in_child(const PoolSettings& pool, const Credentials& credentials,
                                const std::function<std::string()>& look, int fd) {
  ExitStatus status = ExitStatus::ok;
  try {
    enter(pool, credentials);
    write_all(fd, look());
  } catch (const StartupError& error) {
    status = error.status;
    write_all(fd, error.text);
  } catch (const std::exception& error) {
    status = ExitStatus::bug;
    write_all(fd, error.what());
  }
  _exit(static_cast<int>(status));
}

}  // namespace

std::string look_as_worker(const PoolSettings& pool, const Credentials& credentials,
                           const std::function<std::string()>& look) {
  if (!credentials.change && pool.chroot.empty()) return look();
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail_start(ExitStatus::system, concat("cannot create a pipe: ", reason(errno)));
  }
  const pyhost::UniqueFd read_end(ends[0]);
  pyhost::UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) fail_start(ExitStatus::system, concat("cannot fork: ", reason(errno)));
  if (pid == 0) look_in_child(pool, credentials, look, write_end.get());
  write_end.reset();
  std::string text = read_all(read_end.get());
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return text;
  const int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
  fail_start(status == 0 ? ExitStatus::system : static_cast<ExitStatus>(status),
             text.empty() ? "a process that looked for the application was killed" : text);
}

}  // namespace pycgid
