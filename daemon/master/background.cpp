// Option "daemonize", see background.h. On the pipe come the daemon's pid and, when it is known how
// the start went, its exit status: 0 when the daemon serves.
#include "daemon/master/background.h"

#include "daemon/master/signals.h"
#include "daemon/text.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pycgid {
namespace {

constexpr const char* kInterrupted = "pycgid: ended by a signal before it was ready";

// False at the end of the pipe.
bool read_number(int fd, int& number) {
  ssize_t got = 0;
  do {
    got = ::read(fd, &number, sizeof number);
  } while (got < 0 && errno == EINTR);
  return got == sizeof number;
}

void send_number(int fd, int number) {
  [[maybe_unused]] const ssize_t written = ::write(fd, &number, sizeof number);
}

// Waits for the pipe; whoever interrupts the start meanwhile means the daemon. True: somebody has.
bool wait_for_news(const pyhost::UniqueFd& signals, int fd, pid_t daemon) {
  bool interrupted = false;
  std::array<pollfd, 2> entries{{{fd, POLLIN, 0}, {signals.get(), POLLIN, 0}}};
  while (entries[0].revents == 0) {
    if (::poll(entries.data(), entries.size(), -1) < 0) continue;
    while (const int signal = next_signal(signals)) {
      if (signal == SIGCHLD || daemon <= 0) continue;
      interrupted = true;
      ::kill(daemon, SIGTERM);
    }
  }
  return interrupted;
}

// The life of the process that was started, from here on.
[[noreturn]] void wait_for_daemon(pid_t child, int fd) {
  const pyhost::UniqueFd signals = take_signals();
  ::waitpid(child, nullptr, 0);
  int daemon = 0;
  int status = 0;
  const bool is_there = read_number(fd, daemon);
  const bool interrupted = is_there && wait_for_news(signals, fd, daemon);
  if (!is_there || !read_number(fd, status)) {
    std::cerr << (interrupted ? kInterrupted
                              : "pycgid: ended before it was ready, see the log (option \"log\")")
              << std::endl;
    ::_exit(static_cast<int>(interrupted ? ExitStatus::temporary : ExitStatus::bug));
  }
  // After a failure, until it is gone: what it has to say comes first.
  int nothing = 0;
  while (status != 0 && read_number(fd, nothing)) continue;
  ::_exit(status);
}

pid_t fork_or_fail() {
  const pid_t pid = ::fork();
  if (pid < 0) fail_start(ExitStatus::system, concat("cannot fork: ", reason(errno)));
  return pid;
}

}  // namespace

void Background::enter() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
    fail_start(ExitStatus::system, concat("cannot create a pipe: ", reason(errno)));
  }
  pyhost::UniqueFd read_end(fds[0]);
  parent_.reset(fds[1]);
  if (const pid_t child = fork_or_fail(); child > 0) {
    parent_.reset();
    wait_for_daemon(child, read_end.get());
  }
  ::setsid();
  // No leader of a session: it never gets a terminal by opening one.
  if (fork_or_fail() > 0) ::_exit(0);
  read_end.reset();
  std::signal(SIGPIPE, SIG_IGN);
  send_number(parent_.get(), ::getpid());
}

void Background::ready() {
  if (!parent_) return;
  leave_standard_descriptors();
  send_number(parent_.get(), static_cast<int>(ExitStatus::ok));
  parent_.reset();
}

void Background::failed(ExitStatus status) {
  // It stays open: its end is that of this process.
  if (const int fd = parent_.release(); fd >= 0) send_number(fd, static_cast<int>(status));
}

void Background::ended() {
  if (!parent_) return;
  std::cerr << kInterrupted << std::endl;
  failed(ExitStatus::temporary);
}

void leave_standard_descriptors() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  if (null > STDERR_FILENO) ::close(null);
}

}  // namespace pycgid
