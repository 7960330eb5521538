#include "pyhost/own_fds.h"

#include "pyhost/log_socket.h"
#include "pyhost/short_text.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <string_view>

namespace pyhost {
namespace {

// The signal that a file would send if it were asked to, which ours are not: a number that nobody
// uses, kept by the kernel with the open file itself. 0 is what all others have.
constexpr int kMark = 47;

// Room for what a worker has of ours.
constexpr int kMostOwnFds = 16;

constexpr int kLostDescriptor = 71;  // EX_OSERR

}  // namespace

void mark_as_ours(int fd) {
  ::fcntl(fd, F_SETSIG, kMark);
}

// Where the kernel knows no such mark, only closed ones are noticed.
bool is_ours(int fd) {
  const int mark = ::fcntl(fd, F_GETSIG);
  return mark == kMark || (mark < 0 && errno != EBADF);
}

RaisedFileLimit::RaisedFileLimit() {
  ::getrlimit(RLIMIT_NOFILE, &before_);
  const auto wanted = static_cast<rlim_t>(kOwnFdsEnd);
  rlimit raised{std::max(before_.rlim_cur, wanted), std::max(before_.rlim_max, wanted)};
  // Only root may raise the hard limit.
  if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) {
    raised = {before_.rlim_max, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &raised);
  }
  end_ = static_cast<int>(std::min(raised.rlim_cur, wanted));
}

RaisedFileLimit::~RaisedFileLimit() {
  ::setrlimit(RLIMIT_NOFILE, &before_);
}

void move_away(UniqueFd& fd) {
  if (!fd) return;
  const RaisedFileLimit limit;
  const int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, limit.end() - kMostOwnFds);
  if (moved >= 0) fd.reset(moved);
}

void close_ours(UniqueFd& fd) {
  if (is_ours(fd.get())) {
    fd.reset();
  } else {
    static_cast<void>(fd.release());
  }
}

void end_without(std::string_view name) {
  ShortText text("the application has closed or replaced a descriptor of the daemon's: ");
  text.append(name).append("; it must not close descriptors that it has not opened\n");
  const std::string_view line = text;
  if (is_heard()) {
    say({LogLevel::error, false, {}, line.substr(0, line.size() - 1)});
  } else if (is_ours(STDERR_FILENO)) {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  }
  ::_exit(kLostDescriptor);
}

}  // namespace pyhost
