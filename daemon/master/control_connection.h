// One connection of pycgidctl's to the master: a request is read, an answer written, each as far as
// it goes without blocking. Runs on the master's one thread.
//
//   reading --line--> waiting --answer()--> writing --> over
//      |                 |                     |         ^
//      +--- the other side is gone, or time is up -------+
#pragma once

#include "pyhost/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace pycgid {

class ControlConnection {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Phase { reading, waiting, writing, over };

  // `due`: when the request must have been read.
  ControlConnection(pyhost::UniqueFd socket, TimePoint due);

  int fd() const { return socket_.get(); }
  Phase phase() const { return phase_; }
  // For epoll_ctl(2).
  std::uint32_t wanted_events() const;
  // When the present phase has lasted too long; empty: it may last.
  std::optional<TimePoint> due() const { return due_; }
  // "uid 0, pid 4711", for the log.
  std::string peer() const;

  // Takes what has come; gives the request when its line is complete, and waits from then on.
  std::optional<std::string> read();
  // How long the answer may take to be found.
  void wait_until(std::optional<TimePoint> due) { due_ = due; }

  // Begins to write, if it still waits.
  void answer(bool ok, std::string_view text, TimePoint due);
  // The text is that of a memfd which cannot change any more.
  void answer_from(pyhost::UniqueFd memory, std::uint64_t size, TimePoint due);
  // Stays open when the answer is written.
  void stay() { stays_ = true; }
  void write();
  // The other side sees the end now; the descriptor is closed by the destructor.
  void hang_up();

 private:
  void begin_answer(bool ok, std::uint64_t length, TimePoint due);
  bool write_text();
  bool write_memory();

  pyhost::UniqueFd socket_;
  Phase phase_ = Phase::reading;
  std::optional<TimePoint> due_;
  std::string text_;  // what was read, then what is left to be written
  pyhost::UniqueFd memory_;
  off_t memory_at_ = 0;
  std::uint64_t memory_left_ = 0;
  bool stays_ = false;
};

}  // namespace pycgid
