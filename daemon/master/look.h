// Looking at files in a process of its own: a dead file server can hold such a process for ever,
// and a user whose rights it has taken can stop it. The master never waits for one: it polls, and
// gives a look up when its time is over. On the master's one thread.
#pragma once

#include "daemon/option_places.h"
#include "daemon/settings.h"
#include "daemon/startup_error.h"
#include "pyhost/unique_fd.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace pycgid {

// A look takes milliseconds where all is well.
inline constexpr Milliseconds kLookPatience{10'000};

// The side of the process that looks.
class LookReporter {
 public:
  LookReporter(int fd, pid_t master) : fd_(fd), master_(master) {}

  // What follows is for this option: named when the look does not end.
  void at(std::string_view option) const { say('a', option); }
  // Worth a warning.
  void note(std::string_view text) const { say('n', text); }
  void result(std::string_view text) const { say('r', text); }
  void failure(const StartupError& error) const;
  // Again after each change of user, which undoes it. False: the master is gone.
  bool die_with_master() const;

 private:
  void say(char kind, std::string_view text) const;

  int fd_;
  pid_t master_;
};

struct LookRequest {
  std::string object;  // `the files of pool "blog"`
  std::string user;    // whose rights the process takes; empty: nobody else's
  OptionPlaces places;
  // Runs in the new process, which has no descriptors but 0, 1, 2, its own and `descriptors`;
  // returns the result or throws StartupError.
  std::function<std::string(const LookReporter&)> task;
  std::vector<int> descriptors = {};  // borrowed
  Milliseconds patience = kLookPatience;
};

struct LookResult {
  std::string text;
  std::vector<std::string> notes;
};

class Look {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Starts the process. Throws StartupError.
  Look(LookRequest request, TimePoint now);
  // Ends it, without waiting: one that waits for a dead file server cannot even be killed, and is
  // reaped when it is awake again, as any child that the master does not know.
  ~Look();
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;

  // To poll; -1 when there is nothing more to come. Then read().
  int fd() const { return pipe_.get(); }
  void read();
  TimePoint due() const { return due_; }
  bool is_over(TimePoint now) const { return !pipe_ || now >= due_; }
  // Process `pid` was reaped; its number may be another's from now on.
  void on_exited(pid_t pid) {
    if (pid == pid_) pid_ = -1;
  }
  // When it is over. Throws the StartupError that the task threw, or why there is no result.
  LookResult result() const;

 private:
  std::string timeout_text(std::string_view option) const;

  LookRequest request_;
  TimePoint due_;
  pid_t pid_ = -1;  // -1: reaped
  pid_t process_ = -1;
  pyhost::UniqueFd pipe_;
  bool has_ended_ = false;  // by itself, or killed by somebody
  std::string said_;
};

// The same, waited for: for -t, and for a start that has nothing else to do yet. Throws a
// StartupError of status 0 when TERM, INT or QUIT is pending and it does not end soon.
LookResult look_and_wait(LookRequest request);

}  // namespace pycgid
