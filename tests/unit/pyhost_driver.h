// Plays master and gateway for one real worker: starts PYTHON boot.py with an application, sends it
// requests over the channel and puts its answers together. No sleeps: everything waits for an event
// until a deadline.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace pyhost_test {

struct Request {
  std::string path = "/";
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> variables = {};  // besides the usual ones
  pyhost::BodyMode mode = pyhost::BodyMode::none;
  std::string body = {};
};

struct Answer {
  std::string head;
  std::string body;
  unsigned blocks = 0;  // of the body, as the worker cut them
  unsigned files = 0;
  bool ended = false;
  bool failed = false;

  // The lines of the head that begin with `name`, whole; "" when there is none.
  std::string header(std::string_view name) const;
};

struct Start {
  std::string app = "pyhost_app";
  unsigned threads = 1;
  bool multiprocess = false;
  unsigned cleanup_time = 5000;
  std::string directory = {};  // where it starts; default: where pyhost_app.py is
  std::vector<std::string> pythonpath = {};
  std::string boot = {};                      // default: the built one
  std::string version = PYHOST_TEST_VERSION;  // of the daemon that it believes to serve
};

class Worker {
 public:
  explicit Worker(const Start& start = {});
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // What it said on its status descriptor; "" when it said nothing before it ended.
  std::string status_line();

  // --- requests; the worker must be ready --------------------------------------------------------
  Answer ask(const Request& request) { return finish(submit(request)); }
  // Of a ring body only the beginning that fits is sent, and not its end.
  std::uint32_t submit(const Request& request);
  // Through the ring, as the worker makes room.
  void send_body(std::uint32_t slot, std::string_view bytes);
  // What has come until `enough`.
  const Answer& wait(std::uint32_t slot, const std::function<bool(const Answer&)>& enough);
  // Waits until the worker gives the slot back.
  Answer finish(std::uint32_t slot);
  // Takes nothing of the answer until the worker gives the slot back.
  void wait_done_unread(std::uint32_t slot);
  pyhost::GatewayEnd& gateway() { return *gateway_; }

  // --- the log, as raw lines ---------------------------------------------------------------------
  // Waits until `text` is in it and returns all of it.
  std::string wait_log(std::string_view text);
  // Waits for `text`, but no longer than this.
  bool logs_within(std::string_view text, std::chrono::milliseconds span);
  // The exit status of a worker that ends by itself, or 128 + signal.
  int wait_exit();
  // Tells it that there are no more requests.
  int stop();
  void lose_gateway() { gateway_.reset(); }
  pid_t pid() const { return pid_; }

 private:
  void spawn(const Start& start, const pyhost::ChannelFds& fds, int log, int status);
  void wait_until(const std::function<bool()>& condition);
  bool take_block(std::uint32_t slot, Answer& answer);
  void take_file(std::uint32_t slot, std::string_view bytes, Answer& answer);
  bool read_log();
  bool wait_log_readable(std::chrono::steady_clock::time_point deadline) const;

  std::unique_ptr<pyhost::GatewayEnd> gateway_;
  pyhost::UniqueFd log_;      // standard output and error
  pyhost::UniqueFd entries_;  // of the log
  pyhost::UniqueFd status_;
  pid_t pid_ = -1;
  std::string log_text_;
  std::map<std::uint32_t, Answer> answers_;  // of the slots in use
  unsigned next_id_ = 0;
};

}  // namespace pyhost_test
