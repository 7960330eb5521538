// Option -t, see check.h.
#include "daemon/check.h"

#include "daemon/log.h"
#include "daemon/master/bound_socket.h"
#include "daemon/master/control_server.h"
#include "daemon/master/exit_text.h"
#include "daemon/master/pool_tls.h"
#include "daemon/master/reconfiguration.h"
#include "daemon/master/worker_process.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

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
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

// How long a worker gets to end when the application is loaded and not needed any more.
constexpr std::chrono::seconds kEndPatience{2};

// Passes on what the worker says, without the marks (between bytes 1) that are for the gateway.
class OutputPasser {
 public:
  explicit OutputPasser(pyhost::UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  bool at_end() const { return !fd_; }
  // Without blocking.
  void pass() {
    std::array<char, 4096> chunk;
    const ssize_t got = ::read(fd_.get(), chunk.data(), chunk.size());
    if (got == 0) fd_.reset();
    if (got <= 0) return;
    for (char character : std::string_view(chunk.data(), static_cast<std::size_t>(got))) {
      if (character == '\x01') {
        in_mark_ = !in_mark_;
      } else if (!in_mark_) {
        std::cerr.put(character);
      }
    }
  }

 private:
  pyhost::UniqueFd fd_;
  bool in_mark_ = false;
};

// Waits until one of the descriptors is readable; false when `due` comes first.
bool wait_readable(std::array<pollfd, 2> entries, TimePoint due) {
  const auto left = std::chrono::ceil<Milliseconds>(due - std::chrono::steady_clock::now());
  return ::poll(entries.data(), entries.size(), std::max(0, static_cast<int>(left.count()))) > 0;
}

// The worker's first line; empty when it ends, or `due` comes, before there is one.
std::optional<std::string> first_line(WorkerProcess& worker, OutputPasser& output, TimePoint due) {
  while (worker.status_fd() >= 0) {
    if (!wait_readable({{{worker.status_fd(), POLLIN, 0}, {output.fd(), POLLIN, 0}}}, due)) break;
    if (!output.at_end()) output.pass();
    if (auto line = worker.read_status()) return line;
  }
  return std::nullopt;
}

// Sees the worker off, by force in the end; returns its wait status.
int end_worker(const WorkerProcess& worker, OutputPasser& output, TimePoint due) {
  while (!output.at_end() && wait_readable({{{output.fd(), POLLIN, 0}, {-1, 0, 0}}}, due)) {
    output.pass();
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
  OutputPasser output(std::move(process.output));
  WorkerProcess worker(std::move(process), plan.pool.name + "/1", 1, 1);
  const TimePoint start = std::chrono::steady_clock::now();
  const auto line = first_line(worker, output, start + plan.pool.start_timeout);
  const bool too_late = !line && worker.status_fd() >= 0;
  // The worker ends when its channel is closed.
  worker.take_channel();
  const TimePoint now = std::chrono::steady_clock::now();
  const int wait_status = end_worker(worker, output, too_late ? now : now + kEndPatience);
  if (too_late) fail_start(ExitStatus::temporary, start_timeout_text(plan.pool));
  if (!line) {
    fail_start(ExitStatus::temporary,
               concat(worker.object(), " ", describe_exit(wait_status), " before it was ready"));
  }
  if (*line != "ready") throw parse_complaint(*line, plan.pool.places);
}

void check_pool(const Settings& settings, const PoolSettings& pool) {
  const Credentials credentials = worker_credentials(pool);
  std::vector<std::string> notes;
  check_sockets(pool, notes);
  for (const std::string& note : notes) {
    std::cerr << "pycgid: notice: " << escape_control(note) << '\n';
  }
  static_cast<void>(load_tls(pool));
  try_application({pool, make_worker_command(settings, pool, credentials, environ), credentials});
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
