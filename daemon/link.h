// The wire between master and gateway: messages with descriptors over a SOCK_SEQPACKET pair.
// The master sends workers and orders, the gateway reports. Neither side ever blocks on it for
// long: messages are few and small.
#pragma once

#include "pyhost/unique_fd.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace pycgid {

enum class MessageType : std::uint32_t {
  // master to gateway
  worker_started,  // worker, pid, pool, generation; text: its name in the log ("blog/2");
                   // fds: read end of its stdout and stderr, and the gateway's side of its log
                   // socket
  worker_ready,    // worker, which has loaded the application; fds: the gateway's ChannelFds
                   // (memory, bell, passing)
  worker_exited,   // worker; text: what to log about it, see gateway/worker_end.h
  take_over,       // pool, generation: requests go to workers of this generation only; older ones
                   // end when they are idle. The first one also opens the pool's listeners
  listen,          // pool; text: "fastcgi" or "scgi", a blank and the address as it was written;
                   // fds: the socket. One more listener
  refuse,          // pool; text: why. Requests are answered 503 until the next take_over
  retire,          // worker: gets no more requests, and ends when it is idle
  cut,             // worker, which was to end and takes too long: its requests are cut
  release_idle,    // pool: a worker without a request, if there is one, gets no more and ends
  refuse_waiting,  // pool: it has no worker, and none can be started: the requests that wait now
                   // are answered 503
  finish,          // stop accepting, finish what was accepted, then report `drained` and exit
  log_reopened,    // fds: the log's new descriptor
  access_log,      // pool; fds: where its access log goes from now on
  slow_log,        // pool; fds: where its slow log goes from now on
  configure,       // the global options; fds: a text file of them and, when it is a file, the error
                   // log
  configure_pool,  // pool, generation; fds: a text file of the pool's options and, as far as they
                   // name any, its access log and slow log. In force when that generation or a
                   // later one takes over, and at once for a pool that is new
  keep_pool,       // pool: what the last configure_pool said does not come into force
  unlisten,        // pool; text as in `listen`: that listener's backlog is accepted, then it closes
  remove_pool,     // pool: its listeners close likewise, its connections when they are idle
  pool_ended,      // pool that was removed: its workers are gone, what still waits is refused
  ping,            // answer with `pong`
  tls,             // pool; text: path of its certificate; fds: memory with the PEM of certificate,
                   // key and client authorities, for the TLS connections that begin from now on
  pool_state,      // pool; text: as daemon/status/pool_state.h encodes it
  question,        // worker: the question's number; text: as daemon/status/question.h has it
  // gateway to master
  gateway_ready,    // the listeners are watched, messages are read
  worker_violated,  // worker; text: why. Kill it
  worker_warm,      // worker: it has answered the requests of option "warmup"
  warmup_failed,    // worker; text: why. It must not serve
  worker_worn,      // worker; text: why. Start another, and retire it when that one is ready
  pong,             // the loop runs
  requests_wait,    // pool, whose number of workers may change; count: so many requests have waited
                    // for a thread for some time, or wait and there is no worker
  load_report,      // pool, which has more workers than it must; count: the most requests that it
                    // had at once since the last report
  worker_released,  // worker: it had no request, and gets no more
  answer,           // worker: the question's number; fds: the text, a sealed memfd; without one,
                    // text: why there is none
  drained           // everything that was accepted is finished; the gateway ends after its workers
};

struct Message {
  MessageType type{};
  std::uint32_t worker = 0;
  std::int32_t pid = 0;
  std::uint32_t pool = 0;  // its id, never given twice in the life of the master
  std::uint32_t generation = 0;
  std::uint32_t count = 0;
  std::string text{};  // at most 4 KiB
  std::vector<pyhost::UniqueFd> fds{};
};

class Link {
 public:
  enum class Received { message, nothing, closed };

  // A connected pair, CLOEXEC and non-blocking; throws std::system_error.
  static std::pair<Link, Link> create();

  // Waits up to a second for room. False: the other side is gone or stuck.
  bool send(const Message& message);
  // Never blocks. A message that met a full table of open files comes without its descriptors.
  Received receive(Message& message);
  int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }

 private:
  explicit Link(pyhost::UniqueFd socket) : socket_(std::move(socket)) {}
  pyhost::UniqueFd socket_;
};

}  // namespace pycgid
