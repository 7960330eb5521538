// One worker as the master sees it, see worker_process.h.
#include "daemon/master/worker_process.h"

#include "daemon/master/exit_text.h"
#include "daemon/master/variables.h"
#include "daemon/option_values.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr std::string_view kBegun = "begun\n";
constexpr std::string_view kLowestPython = "3.11";  // as pyhost/internal/py.h has it

// A line that is longer is cut; the worker writes at most this much in one go.
constexpr std::size_t kMaxStatusLine = 4096;

[[maybe_unused]] bool may_follow(WorkerState now, WorkerState next) {
  switch (now) {
    case WorkerState::starting:
      return next == WorkerState::warming || next == WorkerState::ready ||
             next == WorkerState::ending;
    case WorkerState::warming:
      return next == WorkerState::ready || next == WorkerState::ending;
    case WorkerState::ready:
      return next == WorkerState::draining || next == WorkerState::ending;
    case WorkerState::draining:
      return next == WorkerState::cut || next == WorkerState::ending;
    case WorkerState::cut:
    case WorkerState::ending:
      return next == WorkerState::ending;
  }
  return false;
}

// `"/bin/true" is no Python (option "python", pycgid.conf:3)`
std::string python_of(const PoolSettings& pool) {
  const bool is_venv = !pool.venv.empty();
  return concat(in_quotes(is_venv ? pool.venv + "/bin/python" : pool.python), " is no Python ",
                kLowestPython, " or later ", pool.places.text(is_venv ? "venv" : "python"));
}

bool is_pythons(std::string_view variable) {
  return variable.starts_with("PYTHON");
}

// Variables that keep a Python from starting when they are wrong, and where each comes from.
std::string python_variables(const PoolSettings& pool) {
  std::string text;
  const auto add = [&text](std::string_view variable, std::string_view where) {
    text += concat(text.empty() ? "; it has " : ", ", variable_name(variable), " ", where);
  };
  for (const std::string& variable : pool.env) {
    if (is_pythons(variable)) add(variable, pool.places.text("env"));
  }
  const auto is_set_anew = [&pool](std::string_view variable) {
    return std::ranges::any_of(pool.env, [variable](const std::string& given) {
      return variable_name(given) == variable_name(variable);
    });
  };
  for (char** variable = environ; !pool.clear_env && *variable != nullptr; ++variable) {
    if (is_pythons(*variable) && !is_set_anew(*variable)) {
      add(*variable, "from the daemon's environment");
    }
  }
  return text;
}

}  // namespace

WorkerProcess::WorkerProcess(SpawnedWorker process, std::string name, std::uint32_t number,
                             std::uint32_t generation)
    : process_(std::move(process)),
      name_(std::move(name)),
      number_(number),
      generation_(generation) {}

std::string WorkerProcess::object() const {
  return is_forked() ? concat(name_, "[", pid(), "]") : name_;
}

void WorkerProcess::start(TimePoint now, std::chrono::milliseconds patience) {
  started_ = now;
  due_ = now + patience;
}

void WorkerProcess::move_to(WorkerState next, std::optional<TimePoint> due) {
  assert(may_follow(state_, next));
  state_ = next;
  was_ready_ |= next == WorkerState::ready;
  was_retired_ |= next == WorkerState::draining;
  due_ = due;
}

std::optional<std::string> WorkerProcess::read_status() {
  return read_status_line(process_.status, status_text_);
}

void WorkerProcess::blame(ExitStatus status, std::string_view why) {
  if (!fault_.empty()) return;
  fault_status_ = status;
  fault_ = why;
}

std::optional<std::string> read_status_line(pyhost::UniqueFd& pipe, std::string& text) {
  std::array<char, 512> chunk;
  while (pipe) {
    const ssize_t got = ::read(pipe.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return std::nullopt;
    if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
    const std::size_t start = says_begun(text) ? kBegun.size() : 0;
    const std::size_t end = text.find('\n', start);
    if (end == std::string::npos && got > 0 && text.size() < kMaxStatusLine) continue;
    pipe.reset();
    if (text.size() == start) return std::nullopt;
    return text.substr(start, end - start);
  }
  return std::nullopt;
}

bool says_begun(std::string_view text) {
  return text.starts_with(kBegun);
}

StartupError parse_complaint(std::string_view line, const OptionPlaces& places) {
  constexpr std::string_view kError = "error ";
  StartupError complaint{ExitStatus::configuration, std::string(line)};
  if (!line.starts_with(kError)) return complaint;
  line.remove_prefix(kError.size());
  const std::size_t space = std::min(line.find(' '), line.size());
  const auto said = parse_number(line.substr(0, space));
  for (ExitStatus status : {ExitStatus::system, ExitStatus::temporary}) {
    if (said == static_cast<std::uint64_t>(status)) complaint.status = status;
  }
  complaint.text = places.complete(line.substr(std::min(space + 1, line.size())));
  return complaint;
}

StartupError early_end(const PoolSettings& pool, std::string_view object, int wait_status,
                       bool has_begun) {
  const std::string how = describe_exit(wait_status);
  if (has_begun || !WIFEXITED(wait_status)) {
    return {ExitStatus::temporary, concat(object, " ", how, " before it was ready")};
  }
  // Only what does nothing and finds that fine will do so again. All else may be a wrapper that
  // waits for a mount, or a Python that had too little memory.
  return {exited_cleanly(wait_status) ? ExitStatus::configuration : ExitStatus::temporary,
          concat(object, " ", how, " without running a line of pycgid's boot.py: ", python_of(pool),
                 ", a wrapper that does not pass \"$@\" on, or one that could "
                 "not start; what it printed, if anything, comes before this",
                 python_variables(pool))};
}

std::string start_timeout_text(const PoolSettings& pool, bool has_begun) {
  if (!has_begun) {
    return concat(python_of(pool), ", or one that hangs: it did not run a line within ",
                  duration_text(pool.start_timeout), " (option \"start-timeout\")");
  }
  return concat("application ", in_quotes(pool.app), " did not load within ",
                duration_text(pool.start_timeout), " (option \"start-timeout\")");
}

}  // namespace pycgid
