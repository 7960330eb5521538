// One worker as the master sees it: what it is, and the one place where its state changes.
//
//   starting --"ready"--> (warming) --> ready --take_over, retire, finish--> draining --> cut
//       |                   |                             |                   |           |
//       +-------------------+---------- signalled --------+-------------------+-----------+
//                                           |
//                                           +----> ending --> reaped
//
// A worker that is reaped is removed, whatever its state was.
#pragma once

#include "daemon/master/worker_spawn.h"
#include "daemon/startup_error.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

namespace pycgid {

using TimePoint = std::chrono::steady_clock::time_point;

enum class WorkerState {
  starting,  // forked or to be forked by a template, has not said "ready"; due: start-timeout
  warming,   // loaded, answers the requests of option "warmup"; due: start-timeout still
  ready,     // in service, or waiting for the rest of its generation
  draining,  // gets no more requests and ends when it is idle; due: stop-timeout
  cut,       // was not idle by then, its requests have been cut; due: a moment to clean up
  ending     // was signalled; due: SIGKILL where that was not sent yet
};

// Whether what came by a status pipe begins so.
bool says_begun(std::string_view text);

class WorkerProcess {
 public:
  WorkerProcess(SpawnedWorker process, std::string name, std::uint32_t number,
                std::uint32_t generation);

  std::uint32_t id() const { return process_.id; }
  pid_t pid() const { return process_.pid; }
  std::uint32_t number() const { return number_; }
  std::uint32_t generation() const { return generation_; }
  WorkerState state() const { return state_; }
  // Whether it ever said "ready".
  bool was_ready() const { return was_ready_; }
  // Whether it was told to end when it is idle, whatever became of it then.
  bool was_retired() const { return was_retired_; }
  // When the present state has lasted too long; empty: it may last.
  std::optional<TimePoint> due() const { return due_; }
  TimePoint started() const { return started_; }
  int status_fd() const { return process_.status.get(); }
  // False: its template has not forked it yet; there is no process.
  bool is_forked() const { return pid() > 0; }
  // The template has.
  void come(SpawnedWorker process) { process_ = std::move(process); }
  // "blog/2" and "blog/2[4711]", without the number while it is not forked.
  const std::string& name() const { return name_; }
  std::string object() const;

  void start(TimePoint now, std::chrono::milliseconds patience);
  // The only way from one state to another; steps that the picture does not show are a bug.
  void move_to(WorkerState next, std::optional<TimePoint> due);

  // Another one is to take its place, and why; it serves until that one is ready.
  void wear_out(std::string_view why) { worn_ = why; }
  bool is_worn() const { return !worn_.empty(); }
  const std::string& why_worn() const { return worn_; }

  // Its status pipe, see read_status_line().
  std::optional<std::string> read_status();
  // It has run the first line of boot.py: what was started is a Python.
  bool has_begun() const { return says_begun(status_text_); }

  // Each once, to be handed to the gateway.
  pyhost::UniqueFd take_output() { return std::move(process_.output); }
  pyhost::UniqueFd take_log() { return std::move(process_.log); }
  pyhost::ChannelFds take_channel() { return std::move(process_.channel); }

  // Why it is being ended, for the line about its end; the first reason stays.
  void blame(ExitStatus status, std::string_view why);
  const std::string& fault() const { return fault_; }
  ExitStatus fault_status() const { return fault_status_; }

 private:
  SpawnedWorker process_;
  std::string name_;
  std::uint32_t number_;
  std::uint32_t generation_;
  WorkerState state_ = WorkerState::starting;
  bool was_ready_ = false;
  bool was_retired_ = false;
  std::string worn_;
  std::optional<TimePoint> due_;
  TimePoint started_{};
  std::string status_text_;
  std::string fault_;
  ExitStatus fault_status_ = ExitStatus::temporary;
};

// Reads a status pipe without blocking: "begun", and a line that says how the start went. Gives
// that one when it is complete, and closes the pipe then or at its end. `text` is what has come
// before.
std::optional<std::string> read_status_line(pyhost::UniqueFd& pipe, std::string& text);

// What a status line "error STATUS MESSAGE" says; options that it names get their places.
StartupError parse_complaint(std::string_view line, const OptionPlaces& places = {});

// What is said of a worker that took longer than option "start-timeout".
std::string start_timeout_text(const PoolSettings& pool, bool has_begun);

// Why worker `object`, which said nothing of it, ended before it was ready. What is content to end
// without having begun is no Python, and never will be; what fails may succeed later.
StartupError early_end(const PoolSettings& pool, std::string_view object, int wait_status,
                       bool has_begun);

}  // namespace pycgid
