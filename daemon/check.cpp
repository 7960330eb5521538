// Option -t, see check.h.
#include "daemon/check.h"

#include "daemon/log.h"
#include "daemon/master/bound_socket.h"
#include "daemon/master/control_server.h"
#include "daemon/master/exit_text.h"
#include "daemon/master/log_files.h"
#include "daemon/master/pool_tls.h"
#include "daemon/master/reconfiguration.h"
#include "daemon/master/worker_process.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "pyhost/log_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

// How long a worker gets to end when the application is loaded and not needed any more.
constexpr std::chrono::seconds kEndPatience{2};

// Passes on what the worker says, line by line, without what is for the log.
class OutputPasser {
 public:
  OutputPasser(pyhost::UniqueFd output, pyhost::UniqueFd entries)
      : output_(std::move(output)), entries_(std::move(entries)) {}
  ~OutputPasser() { show(line_); }
  OutputPasser(const OutputPasser&) = delete;
  OutputPasser& operator=(const OutputPasser&) = delete;

  bool at_end() const { return !output_ && !entries_; }
  // Waits until there is something, or `other` is readable, and passes it on; false when `due`
  // comes first.
  bool pass(int other, TimePoint due) {
    std::array<pollfd, 3> fds{
        {{other, POLLIN, 0}, {output_.get(), POLLIN, 0}, {entries_.get(), POLLIN, 0}}};
    const auto left = std::chrono::ceil<Milliseconds>(due - std::chrono::steady_clock::now());
    if (::poll(fds.data(), fds.size(), std::max(0, static_cast<int>(left.count()))) <= 0) {
      return false;
    }
    if (fds[2].revents != 0) pass_entry();
    if (fds[1].revents != 0) pass_output();
    return true;
  }

 private:
  static void show(std::string_view lines) {
    while (!lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      std::cerr << escape_unprintable(line) << '\n';
      lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    }
  }
  void pass_entry() {
    std::array<char, pyhost::kMaxLogPacket> packet;
    const ssize_t got = ::recv(entries_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got == 0) entries_.reset();
    if (got <= 0) return;
    const auto entry = pyhost::parse_entry({packet.data(), static_cast<std::size_t>(got)});
    if (entry) show(entry->text);
  }
  void pass_output() {
    std::array<char, 4096> chunk;
    const ssize_t got = ::read(output_.get(), chunk.data(), chunk.size());
    if (got == 0) output_.reset();
    if (got <= 0) return;
    line_.append(chunk.data(), static_cast<std::size_t>(got));
    const std::size_t end = line_.rfind('\n') + 1;  // 0: none
    show(std::string_view(line_).substr(0, end));
    line_.erase(0, end);
  }

  pyhost::UniqueFd output_;
  pyhost::UniqueFd entries_;
  std::string line_;
};

// The worker's first line; empty when it ends, or `due` comes, before there is one.
std::optional<std::string> first_line(WorkerProcess& worker, OutputPasser& output, TimePoint due) {
  while (worker.status_fd() >= 0) {
    if (!output.pass(worker.status_fd(), due)) break;
    if (auto line = worker.read_status()) return line;
  }
  return std::nullopt;
}

// Sees the worker off, by force in the end; returns its wait status.
int end_worker(const WorkerProcess& worker, OutputPasser& output, TimePoint due) {
  while (!output.at_end() && output.pass(-1, due)) {
  }
  ::kill(-worker.pid(), SIGKILL);
  int wait_status = 0;
  ::waitpid(worker.pid(), &wait_status, 0);
  return wait_status;
}

void try_application(const WorkerPlan& plan) {
  SpawnedWorker process;
  if (const std::string wrong = spawn_worker(plan, 1, process); !wrong.empty()) {
    fail_start(ExitStatus::system, wrong);
  }
  OutputPasser output(std::move(process.output), std::move(process.log));
  WorkerProcess worker(std::move(process), plan.pool.name + "/1", 1, 1);
  const TimePoint start = std::chrono::steady_clock::now();
  const auto line = first_line(worker, output, start + plan.pool.start_timeout);
  const bool too_late = !line && worker.status_fd() >= 0;
  // The worker ends when its channel is closed.
  worker.take_channel();
  const TimePoint now = std::chrono::steady_clock::now();
  const int wait_status = end_worker(worker, output, too_late ? now : now + kEndPatience);
  if (too_late)
    fail_start(ExitStatus::temporary, start_timeout_text(plan.pool, worker.has_begun()));
  if (!line) throw early_end(plan.pool, worker.object(), wait_status, worker.has_begun());
  if (*line != "ready") throw parse_complaint(*line, plan.pool.places);
}

void check_pool(const Settings& settings, const PoolSettings& pool) {
  const Credentials credentials = worker_credentials(pool);
  std::vector<std::string> notes;
  check_sockets(pool, notes);
  for (const std::string& note : notes) {
    std::cerr << "pycgid: notice: " << escape_control(note) << '\n';
  }
  LogFiles::check(pool);
  static_cast<void>(load_tls(pool));
  WorkerCommand command = make_worker_command(settings, pool, credentials, environ);
  // Not the command of "on-start": it might remove what the workers of a running daemon use.
  std::erase_if(command.arguments,
                [](const std::string& argument) { return argument.starts_with("on_start="); });
  try_application({pool, command, credentials});
}

// Empty when nothing is wrong.
std::optional<StartupError> fault_of(const Settings& settings, const PoolSettings& pool) {
  try {
    check_pool(settings, pool);
    return std::nullopt;
  } catch (const StartupError& error) {
    const std::string who =
        settings.pools.size() > 1 ? concat("pool ", in_quotes(pool.name), ": ") : "";
    return StartupError{error.status, who + error.text};
  }
}

}  // namespace

void check_settings(const Settings& settings, std::string_view mark) {
  check_daemon(settings);
  check_control_path(settings);
  std::optional<StartupError> wrong;
  for (const PoolSettings& pool : settings.pools) {
    std::optional<StartupError> fault = fault_of(settings, pool);
    if (!fault) {
      std::cout << mark << "configuration is fine: pool " << in_quotes(pool.name)
                << ", application " << in_quotes(pool.app) << " loads\n";
      continue;
    }
    if (wrong) std::cerr << "pycgid: " << escape_control(wrong->text) << '\n';
    wrong = std::move(fault);
  }
  if (wrong) throw *wrong;
  if (settings.pools.empty()) {
    std::cout << mark << "configuration is fine: no pool is described yet\n";
  }
}

}  // namespace pycgid
