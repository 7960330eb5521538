#include "tests/unit/pyhost_driver.h"

#include "pyhost/log_socket.h"
#include "pyhost/own_fds.h"
#include "pyhost/params.h"
#include "tests/unit/catch.h"
#include "tests/unit/log_entries.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace pyhost_test {
namespace {

using Clock = std::chrono::steady_clock;
using pyhost::UniqueFd;

constexpr std::chrono::seconds kPatience{30};

// Waits until the descriptor is readable or hung up; false at the deadline.
bool wait_readable(int fd, Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd entry{fd, POLLIN, 0};
  return left.count() > 0 && ::poll(&entry, 1, static_cast<int>(left.count())) > 0;
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int ends[2] = {-1, -1};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> command_line(const Start& start, const pyhost::ChannelFds& fds,
                                      int entries, int status) {
  std::vector<std::string> arguments = {PYHOST_TEST_PYTHON,
                                        start.boot.empty() ? PYHOST_TEST_BOOT : start.boot,
                                        "app=" + start.app,
                                        "pool=shop",
                                        "worker=3",
                                        "threads=" + std::to_string(start.threads),
                                        "multiprocess=" + std::to_string(start.multiprocess),
                                        "cleanup_time=" + std::to_string(start.cleanup_time),
                                        "version=" + start.version,
                                        "memory_fd=" + std::to_string(fds.memory.get()),
                                        "bell_fd=" + std::to_string(fds.bell.get()),
                                        "passing_fd=" + std::to_string(fds.passing.get()),
                                        "log_fd=" + std::to_string(entries),
                                        "status_fd=" + std::to_string(status)};
  for (const std::string& directory : start.pythonpath) {
    arguments.push_back("pythonpath=" + directory);
  }
  return arguments;
}

// A sanitizer's library must come first in a program that was built without it.
void prepare_environment() {
  ::setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  if (*PYHOST_TEST_PRELOAD == '\0') return;
  ::setenv("LD_PRELOAD", PYHOST_TEST_PRELOAD, 1);
  ::setenv("PYTHONMALLOC", "malloc", 1);
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
}

}  // namespace

std::string Answer::header(std::string_view name) const {
  std::string found;
  for (std::size_t at = 0, end = 0; at < head.size(); at = end) {
    end = head.find("\r\n", at) + 2;
    if (head.compare(at, name.size(), name) == 0) found += head.substr(at, end - 2 - at);
  }
  return found;
}

Worker::Worker(const Start& start) {
  pyhost::ChannelPair pair;
  std::error_code error = pyhost::create_channel({.slots = 4}, pair);
  REQUIRE(!error);
  gateway_ = pyhost::GatewayEnd::open(std::move(pair.gateway), error);
  REQUIRE(gateway_);
  auto [log_read, log_write] = make_pipe();
  auto [status_read, status_write] = make_pipe();
  log_ = std::move(log_read);
  status_ = std::move(status_read);
  for (const UniqueFd* fd : {&log_write, &status_write}) pyhost::mark_as_ours(fd->get());
  ::fcntl(log_.get(), F_SETFL, O_NONBLOCK);
  spawn(start, pair.worker, log_write.get(), status_write.get());
}

void Worker::spawn(const Start& start, const pyhost::ChannelFds& fds, int log, int status) {
  pyhost::LogSocket entries;
  REQUIRE_FALSE(pyhost::create_log_socket(entries));
  entries_ = std::move(entries.gateway);
  const UniqueFd entries_given = std::move(entries.worker);
  std::vector<std::string> arguments = command_line(start, fds, entries_given.get(), status);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string directory = start.directory.empty() ? PYHOST_TEST_APPS : start.directory;

  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ > 0) return;
  ::setsid();
  prepare_environment();
  for (const int fd :
       {fds.memory.get(), fds.bell.get(), fds.passing.get(), entries_given.get(), status}) {
    ::fcntl(fd, F_SETFD, 0);
  }
  ::dup2(::open("/dev/null", O_RDONLY), 0);
  ::dup2(log, 1);
  ::dup2(log, 2);
  if (::chdir(directory.c_str()) == 0) ::execv(argv[0], argv.data());
  ::_exit(127);
}

Worker::~Worker() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string Worker::status_line() {
  const auto deadline = Clock::now() + kPatience;
  std::string line;
  char buffer[4096];
  for (;;) {
    REQUIRE(wait_readable(status_.get(), deadline));
    const ssize_t got = ::read(status_.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    line.append(buffer, static_cast<std::size_t>(got));
  }
  const std::string begun = "begun\n";
  return line.substr(line.compare(0, begun.size(), begun) == 0 ? begun.size() : 0);
}

std::uint32_t Worker::submit(const Request& request) {
  std::uint32_t slot = 0;
  while (answers_.count(slot) != 0) ++slot;
  REQUIRE(slot < gateway_->slots());
  answers_[slot] = {};

  pyhost::ParamsWriter params(gateway_->request_area(slot));
  params.add("REQUEST_METHOD", request.method);
  params.add("REQUEST_URI", request.path);
  params.add("PATH_INFO", request.path.substr(0, request.path.find('?')));
  params.add("SCRIPT_NAME", "");
  params.add("SERVER_NAME", "localhost");
  params.add("SERVER_PORT", "80");
  params.add("SERVER_PROTOCOL", "HTTP/1.1");
  params.add("wsgi.url_scheme", "http");
  params.add("pycgid.request_id", "test-" + std::to_string(++next_id_));
  for (const auto& [name, value] : request.variables) REQUIRE(params.add(name, value));

  pyhost::RequestHead head;
  head.params_bytes = static_cast<std::uint32_t>(params.bytes());
  head.body = request.mode;
  head.body_bytes = request.body.size();
  if (request.mode == pyhost::BodyMode::inlined) {
    const auto area = gateway_->request_area(slot).subspan(params.bytes());
    REQUIRE(request.body.copy(area.data(), area.size()) == request.body.size());
  } else if (request.mode == pyhost::BodyMode::file) {
    const UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    REQUIRE(::pwrite(file.get(), request.body.data(), request.body.size(), 0) ==
            static_cast<ssize_t>(request.body.size()));
    REQUIRE(gateway_->pass_file(slot, file.get()));
  }
  gateway_->submit(slot, head);
  if (request.mode == pyhost::BodyMode::ring) gateway_->write_body(slot, request.body);
  return slot;
}

void Worker::send_body(std::uint32_t slot, std::string_view bytes) {
  wait_until([&] {
    bytes.remove_prefix(gateway_->write_body(slot, bytes));
    return bytes.empty();
  });
}

const Answer& Worker::wait(std::uint32_t slot, const std::function<bool(const Answer&)>& enough) {
  Answer& answer = answers_[slot];
  wait_until([&] {
    while (!enough(answer)) {
      if (!take_block(slot, answer)) return false;
    }
    return true;
  });
  return answer;
}

Answer Worker::finish(std::uint32_t slot) {
  wait(slot, [&](const Answer&) { return gateway_->phase(slot) == pyhost::Phase::done; });
  Answer answer = std::move(answers_[slot]);
  while (take_block(slot, answer)) {
  }
  gateway_->release(slot);
  answers_.erase(slot);
  return answer;
}

void Worker::wait_done_unread(std::uint32_t slot) {
  wait_until([&] { return gateway_->phase(slot) == pyhost::Phase::done; });
  gateway_->release(slot);
  answers_.erase(slot);
}

// What happens after take_ready keeps prepare_sleep from sleeping.
void Worker::wait_until(const std::function<bool()>& condition) {
  pyhost::GatewayEnd::ReadySet ready;
  for (;;) {
    gateway_->take_ready(ready);
    if (condition()) return;
    if (gateway_->prepare_sleep()) {
      REQUIRE(wait_readable(gateway_->bell_fd(), Clock::now() + kPatience));
    }
    gateway_->woke();
  }
}

bool Worker::take_block(std::uint32_t slot, Answer& answer) {
  pyhost::Block block;
  const auto peeked = gateway_->peek(slot, block);
  REQUIRE(peeked != pyhost::GatewayEnd::Peek::violation);
  if (peeked == pyhost::GatewayEnd::Peek::empty) return false;
  REQUIRE(!answer.ended);
  if (block.type == pyhost::BlockType::head) answer.head += block.bytes;
  if (block.type == pyhost::BlockType::body) {
    answer.body += block.bytes;
    ++answer.blocks;
  }
  if (block.type == pyhost::BlockType::file) take_file(slot, block.bytes, answer);
  if (block.type == pyhost::BlockType::end) {
    answer.ended = true;
    answer.failed = block.bytes[0] != static_cast<char>(pyhost::EndKind::complete);
  }
  gateway_->consume(slot, block.bytes.size());
  return true;
}

void Worker::take_file(std::uint32_t slot, std::string_view bytes, Answer& answer) {
  pyhost::FileRange range;
  REQUIRE(bytes.size() == sizeof range);
  std::memcpy(&range, bytes.data(), sizeof range);
  const UniqueFd file = gateway_->receive_file(slot);
  REQUIRE(file);
  std::string content(static_cast<std::size_t>(range.length), '\0');
  REQUIRE(::pread(file.get(), content.data(), content.size(), static_cast<off_t>(range.offset)) ==
          static_cast<ssize_t>(content.size()));
  answer.body += content;
  ++answer.files;
}

// What has come of entries, and of standard output and error behind them; false at the end of both.
bool Worker::read_log() {
  bool got = true;
  bool more = false;
  while (got) more = append_entry(entries_.get(), log_text_, got);
  char buffer[65536];
  const ssize_t count = ::read(log_.get(), buffer, sizeof buffer);
  if (count > 0) log_text_.append(buffer, static_cast<std::size_t>(count));
  return more || count != 0;
}

bool Worker::wait_log_readable(std::chrono::steady_clock::time_point deadline) const {
  pollfd fds[] = {{entries_.get(), POLLIN, 0}, {log_.get(), POLLIN, 0}};
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return left.count() > 0 && ::poll(fds, 2, static_cast<int>(left.count())) > 0;
}

bool Worker::logs_within(std::string_view text, std::chrono::milliseconds span) {
  const auto deadline = Clock::now() + span;
  bool more = true;
  while (log_text_.find(text) == std::string::npos) {
    if (!more || !wait_log_readable(deadline)) return false;
    more = read_log();
  }
  return true;
}

std::string Worker::wait_log(std::string_view text) {
  if (!logs_within(text, kPatience)) REQUIRE(log_text_ == text);  // so that both are shown
  return log_text_;
}

// The log hangs up when the process ends.
int Worker::wait_exit() {
  const auto deadline = Clock::now() + kPatience;
  do {
    REQUIRE(wait_log_readable(deadline));
  } while (read_log());
  int status = 0;
  REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int Worker::stop() {
  gateway_->stop();
  return wait_exit();
}

}  // namespace pyhost_test
