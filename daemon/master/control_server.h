// The master's end of pycgidctl(8): listens on the socket of option "control", understands
// requests (daemon/control_protocol.h), and answers them when there is something to say. Never
// blocks: a client that is slow, silent or one of too many waits or is closed. Runs on the master's
// one thread.
#pragma once

#include "daemon/link.h"
#include "daemon/master/bound_socket.h"
#include "daemon/master/control_connection.h"
#include "daemon/settings.h"
#include "daemon/status/question.h"
#include "daemon/status/report.h"

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace pycgid {

struct ReloadResult {
  bool ok = true;
  std::string text;  // a line for each pool
};

// What the server needs of the master.
class ControlHost {
 public:
  ControlHost() = default;
  ControlHost(const ControlHost&) = delete;
  ControlHost& operator=(const ControlHost&) = delete;
  virtual ~ControlHost() = default;

  // The gateway that reads messages; -1 when there is none now.
  virtual pid_t answering_gateway() const = 0;
  virtual void ask_gateway(std::uint32_t number, const std::string& form) = 0;
  // What the master knows without the gateway; `problem` says why it has to do.
  virtual DaemonReport own_report(const std::string& problem) const = 0;
  // Begins to reload the pool of this name, all and their configuration when it is empty. Returns
  // why it does not, "" when it does.
  virtual std::string begin_reload(const std::string& pool) = 0;
  // Empty until what begin_reload() began is over.
  virtual std::optional<ReloadResult> reload_result(const std::string& pool) const = 0;
  // Returns why it failed, a line for each log; empty: it has not.
  virtual std::string reopen_logs() = 0;
  // As the signal TERM. Returns at once.
  virtual void stop() = 0;
};

// Of option "control", which is given.
Address control_address(const Settings& settings);

// Throws StartupError when the socket could not be bound there; one that is alive is fine, as it is
// probably that of the running daemon.
void check_control_path(const Settings& settings);

class ControlServer {
 public:
  using TimePoint = ControlConnection::TimePoint;

  // Binds the socket, which goes with the server; none when option "control" is off. `host`
  // outlives the server. Throws StartupError.
  ControlServer(const Settings& settings, ControlHost& host);

  // Readable when on_events() has something to do; -1 without a socket.
  int fd() const { return poll_.get(); }
  void on_events(TimePoint now);
  // The gateway's answer to a question.
  void on_answer(Message& message, TimePoint now);
  // Answers what can be answered by now, closes whose time is up. To be called in every turn.
  void advance(TimePoint now);
  std::optional<TimePoint> next_due() const;
  // Binds its socket again when the path is gone.
  void tend_socket();

 private:
  enum class Job { none, question, reload };
  struct Client {
    ControlConnection connection;
    Job job = Job::none;
    std::string subject{};                 // form of the status, or pool to be reloaded
    std::uint32_t number = 0;              // of the question; 0: not asked yet
    pid_t asked = -1;                      // the gateway that was asked
    std::optional<ReloadResult> result{};  // told when the gateway has heard of it, too
    std::uint32_t events = 0;              // that epoll waits for
  };

  void accept_clients(TimePoint now);
  std::size_t open_clients() const;
  std::list<Client>::iterator oldest_silent();
  bool has_room();
  void serve(Client& client, std::uint32_t events, TimePoint now);
  void on_request(Client& client, const std::string& line, TimePoint now);
  void obey(Client& client, std::string_view command, const std::string& argument, TimePoint now);
  void ask(Client& client, const std::string& form, TimePoint now);
  void put_question(Client& client);
  void begin_reload(Client& client, const std::string& pool, TimePoint now);
  void check_reload(Client& client, TimePoint now);
  void check_question(Client& client, TimePoint now);
  void answer_question(Client& client, Message& message, TimePoint now);
  void answer_without_gateway(Client& client, const std::string& problem, TimePoint now);
  void answer(Client& client, bool ok, const std::string& text, TimePoint now);
  void watch(Client& client);
  void watch_listener();

  ControlHost& host_;
  std::optional<BoundSocket> listener_;
  pyhost::UniqueFd poll_;
  std::list<Client> clients_;
  std::optional<TimePoint> paused_until_;  // nobody is accepted
  bool listening_ = false;                 // epoll waits for the listener
  std::string socket_trouble_;             // why it cannot be bound again, as was said
  std::uint32_t last_question_ = 0;
  std::uint32_t last_answer_ = 0;
  pid_t last_asked_ = -1;
};

}  // namespace pycgid
