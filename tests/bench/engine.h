// Keeps a fixed number of connections busy with one request, over and over, from a single thread
// on epoll. Its own cost has to stay far below the servers', since it shares the cores with them:
// a request on a kept connection is one send and one recv.
#pragma once

#include "pyhost/unique_fd.h"
#include "tests/bench/histogram.h"
#include "tests/bench/wire.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace bench {

struct Target {
  sockaddr_storage address{};
  socklen_t length = 0;
};

struct Plan {
  Target target;
  Protocol protocol = Protocol::fastcgi;
  std::string request;
  bool keep = false;
  std::size_t connections = 32;
  std::uint64_t requests = 0;  // 0: until `seconds` are over
  double seconds = 0;
  std::optional<std::uint64_t> expected_bytes;  // of every answer's body; else of the first one's
};

struct Result {
  std::uint64_t answers = 0;  // good ones
  std::uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
  std::uint64_t body_bytes = 0;  // of one answer
  Histogram latency;             // nanoseconds, from the first byte sent to the last received
};

class Engine {
 public:
  explicit Engine(Plan plan);

  // Blocks until all is done. Kept connections stay open as long as the engine lives.
  Result run();

 private:
  struct Connection {
    explicit Connection(Protocol protocol) : reader(protocol) {}
    pyhost::UniqueFd fd;
    AnswerReader reader;
    bool watched = false;  // by epoll_
    std::size_t sent = 0;
    std::uint64_t started = 0;
  };

  void start(Connection& connection, std::uint64_t now);
  bool open(Connection& connection);
  void on_ready(Connection& connection);
  void watch(Connection& connection);
  void send_rest(Connection& connection);
  void receive(Connection& connection);
  void finish(Connection& connection);
  void fail(Connection& connection, const std::string& what);
  void next_request(Connection& connection, std::uint64_t now);
  bool more_to_do(std::uint64_t now) const;
  std::string mistake_in(const AnswerReader& reader);

  Plan plan_;
  Result result_;
  pyhost::UniqueFd epoll_;
  std::vector<Connection> connections_;
  std::size_t busy_ = 0;
  std::uint64_t issued_ = 0;
  std::uint64_t deadline_ = 0;
  std::array<char, 64 * 1024> buffer_{};
};

}  // namespace bench
