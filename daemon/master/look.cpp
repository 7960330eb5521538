// What the process says are records, each a letter, a text and a zero byte: `aOPTION`, `nWARNING`,
// and as the last one `rRESULT` or `eSTATUS TEXT`.
#include "daemon/master/look.h"

#include "daemon/master/descriptors.h"
#include "daemon/master/privileges.h"
#include "daemon/option_values.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

// What one of them may have to say.
constexpr std::size_t kMostText = 65536;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::write(fd, text.data(), text.size());
    if (sent < 0 && errno != EINTR) return;
    if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Never returns to what the master would do next. What it would keep open (listening sockets, the
// gateway's link) must not stay open for as long as a dead file server holds it.
[[noreturn]] void look_in_child(const LookRequest& request, int fd, pid_t master) {
  std::vector<int> kept = request.descriptors;
  kept.push_back(fd);
  close_descriptors_except(kept);
  const LookReporter reporter(fd, master);
  if (!reporter.die_with_master()) ::_exit(1);
  try {
    reporter.result(request.task(reporter));
  } catch (const StartupError& error) {
    reporter.failure(error);
  } catch (const std::exception& error) {
    reporter.failure({ExitStatus::bug, error.what()});
  }
  ::_exit(0);
}

// What a look that is waited for may still take when the daemon is to end.
constexpr Milliseconds kPatienceAtEnd{500};

// Signals wait until there is a loop that obeys them.
bool is_end_asked() {
  sigset_t pending;
  ::sigpending(&pending);
  const auto waits = [&pending](int signal) { return sigismember(&pending, signal) == 1; };
  return waits(SIGTERM) || waits(SIGINT) || waits(SIGQUIT);
}

StartupError parse_failure(std::string_view record) {
  const std::size_t space = record.find(' ');
  const auto status = parse_number(record.substr(0, space)).value_or(70);
  return {static_cast<ExitStatus>(status),
          std::string(record.substr(std::min(space, record.size() - 1) + 1))};
}

}  // namespace

void LookReporter::say(char kind, std::string_view text) const {
  std::string record = concat(std::string(1, kind), text);
  std::ranges::replace(record, '\0', ' ');
  record.push_back('\0');
  write_all(fd_, record);
}

void LookReporter::failure(const StartupError& error) const {
  say('e', concat(static_cast<int>(error.status), " ", error.text));
}

bool LookReporter::die_with_master() const {
  return die_with_parent(master_);
}

Look::Look(LookRequest request, TimePoint now)
    : request_(std::move(request)), due_(now + request_.patience) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail_start(ExitStatus::system, concat("cannot create a pipe: ", reason(errno)));
  }
  pipe_.reset(ends[0]);
  const pyhost::UniqueFd write_end(ends[1]);
  ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
  const pid_t master = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail_start(ExitStatus::system, concat("cannot fork: ", reason(errno)));
  if (pid_ == 0) look_in_child(request_, write_end.get(), master);
  process_ = pid_;
  request_.task = nullptr;  // what it refers to need not live any longer
}

Look::~Look() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  // The pipe's end is the end of a process, a moment before it can be reaped.
  ::waitpid(pid_, nullptr, has_ended_ ? 0 : WNOHANG);
}

void Look::read() {
  std::array<char, 4096> chunk;
  while (pipe_) {
    const ssize_t got = ::read(pipe_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) said_.append(chunk.data(), static_cast<std::size_t>(got));
    if (got == 0) has_ended_ = true;
    if (got <= 0 || said_.size() > kMostText) pipe_.reset();
  }
}

LookResult Look::result() const {
  LookResult result;
  std::string_view option;
  std::string_view left = said_;
  for (std::size_t end = left.find('\0'); end != std::string_view::npos; end = left.find('\0')) {
    const std::string_view record = left.substr(1, end - 1);
    switch (left.front()) {
      case 'a':
        option = record;
        break;
      case 'n':
        result.notes.emplace_back(record);
        break;
      case 'e':
        throw parse_failure(record);
      default:
        result.text = record;
        return result;
    }
    left.remove_prefix(end + 1);
  }
  if (pipe_) fail_start(ExitStatus::system, timeout_text(option));
  fail_start(ExitStatus::system, concat("cannot look at ", request_.object, ": process ", process_,
                                        ", which looked, was killed"));
}

std::string Look::timeout_text(std::string_view option) const {
  const std::string user =
      request_.user.empty() ? "somebody" : concat("user ", in_quotes(request_.user));
  return concat("cannot look at ", request_.object, ": no end after ",
                duration_text(request_.patience), ", a file system does not answer or ", user,
                " has stopped process ", process_, ", which looks",
                option.empty() ? "" : concat(" ", request_.places.text(option)),
                "; see to the mount, or to what runs as that user");
}

LookResult look_and_wait(LookRequest request) {
  const auto time_now = [] { return std::chrono::steady_clock::now(); };
  const std::string object = request.object;
  Look look(std::move(request), time_now());
  std::optional<Look::TimePoint> ended;
  while (!look.is_over(time_now())) {
    constexpr int kSlice = 100;
    pollfd entry{look.fd(), POLLIN, 0};
    ::poll(&entry, 1, kSlice);
    look.read();
    if (!ended && is_end_asked()) ended = time_now() + kPatienceAtEnd;
    if (ended && time_now() >= *ended && look.fd() >= 0) {
      fail_start(ExitStatus::ok, concat("stopped while looking at ", object));
    }
  }
  return look.result();
}

}  // namespace pycgid
