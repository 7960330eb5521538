// Looking at files as the workers will see them, see worker_place.h.
#include "daemon/master/worker_place.h"

#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "pyhost/unique_fd.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace pycgid {
namespace {

// What one of them may have to say.
constexpr std::size_t kMostText = 65536;

void enter(const PoolSettings& pool, const Credentials& credentials) {
  if (!pool.chroot.empty() && (::chroot(pool.chroot.c_str()) != 0 || ::chdir("/") != 0)) {
    const int error = errno;
    const std::string_view advice = error == EPERM ? "; this takes root" : "";
    const bool is_refused = error == EPERM || error == EACCES;
    fail_start(is_refused ? ExitStatus::system : ExitStatus::configuration,
               concat("cannot change the root directory to ", in_quotes(pool.chroot), ": ",
                      reason(error), " ", pool.places.text("chroot"), advice));
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

// Empty: not until the deadline.
std::optional<std::string> read_all(int fd, std::chrono::steady_clock::time_point deadline) {
  std::string text;
  std::array<char, 4096> chunk;
  while (text.size() < kMostText) {
    const auto left =
        std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd entry{fd, POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left));
    if (ready == 0) return std::nullopt;
    const ssize_t got = ready < 0 ? -1 : ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

struct Looker {
  const PoolSettings& pool;
  const Credentials* credentials;  // null: the master's own rights and root directory
  const std::function<std::string()>& look;
};

// Never returns to what the master would do next.
[[noreturn]] void look_in_child(const Looker& looker, pid_t master, int fd) {
  ExitStatus status = ExitStatus::ok;
  try {
    if (looker.credentials != nullptr) enter(looker.pool, *looker.credentials);
    if (!die_with_parent(master)) ::_exit(1);
    write_all(fd, looker.look());
  } catch (const StartupError& error) {
    status = error.status;
    write_all(fd, error.text);
  } catch (const std::exception& error) {
    status = ExitStatus::bug;
    write_all(fd, error.what());
  }
  _exit(static_cast<int>(status));
}

// A process that waits for a dead file server cannot even be killed; it is reaped when it is
// awake again, as any child that the master does not know.
[[noreturn]] void give_up(const PoolSettings& pool, pid_t pid, Milliseconds patience) {
  ::kill(pid, SIGKILL);
  fail_start(ExitStatus::system,
             concat("looking at the files of pool ", in_quotes(pool.name), " takes longer than ",
                    duration_text(patience),
                    ": a file system does not answer, or the process that looked was stopped"));
}

std::string run_looker(const Looker& looker, Milliseconds patience) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail_start(ExitStatus::system, concat("cannot create a pipe: ", reason(errno)));
  }
  const pyhost::UniqueFd read_end(ends[0]);
  pyhost::UniqueFd write_end(ends[1]);
  const pid_t master = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) fail_start(ExitStatus::system, concat("cannot fork: ", reason(errno)));
  if (pid == 0) look_in_child(looker, master, write_end.get());
  write_end.reset();
  std::optional<std::string> text =
      read_all(read_end.get(), std::chrono::steady_clock::now() + patience);
  if (!text) give_up(looker.pool, pid, patience);
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return *text;
  const int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
  fail_start(status == 0 ? ExitStatus::system : static_cast<ExitStatus>(status),
             text->empty() ? "a process that looked for the application was killed" : *text);
}

}  // namespace

std::string look_as_worker(const PoolSettings& pool, const Credentials& credentials,
                           const std::function<std::string()>& look, Milliseconds patience) {
  return run_looker({pool, &credentials, look}, patience);
}

std::string look_aside(const PoolSettings& pool, const std::function<std::string()>& look,
                       Milliseconds patience) {
  return run_looker({pool, nullptr, look}, patience);
}

}  // namespace pycgid
