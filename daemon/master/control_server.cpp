// The master's end of pycgidctl(8), see control_server.h.
#include "daemon/master/control_server.h"

#include "daemon/control_protocol.h"
#include "daemon/log.h"
#include "daemon/master/unix_socket.h"
#include "daemon/startup_error.h"
#include "daemon/status/forms.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utility>

namespace pycgid {
namespace {

// Beyond that, a client takes the place of the oldest that has not asked for anything yet.
constexpr std::size_t kMaxClients = 32;
constexpr int kBacklog = 128;
// For a request to come, and for an answer to leave.
constexpr std::chrono::seconds kPatience{5};
// After an accept that failed.
constexpr std::chrono::seconds kPause{1};
// For the gateway's answer; shorter than pycgidctl's own patience.
constexpr std::chrono::seconds kGatewayPatience{4};
constexpr std::uint64_t kMaxAnswer = 64ULL << 20;
// What a stuck gateway is asked at most, that its link stays free for what matters.
constexpr std::uint32_t kMaxUnanswered = 16;

// The socket belongs to whom the master runs as.
PoolSettings control_rights() {
  PoolSettings rights;
  rights.socket_mode = 0600;
  return rights;
}

// The gateway is not trusted: its text must be memory that nobody can change or cut any more.
std::optional<std::uint64_t> size_of_memory(const pyhost::UniqueFd& memory) {
  constexpr int kNeeded = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  struct stat status {};
  if (seals < 0 || (seals & kNeeded) != kNeeded) return std::nullopt;
  if (::fstat(memory.get(), &status) != 0) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  return size <= kMaxAnswer ? std::optional(size) : std::nullopt;
}

}  // namespace

Address control_address(const Settings& settings) {
  Address address;
  address.protocol = Protocol::control;
  address.path = settings.control;
  address.text = concat("unix:", settings.control);
  address.places = settings.places;
  return address;
}

void check_control_path(const Settings& settings) {
  if (settings.control.empty()) return;
  static_cast<void>(check_socket_path(control_address(settings), control_rights()));
}

ControlServer::ControlServer(const Settings& settings, ControlHost& host) : host_(host) {
  if (settings.control.empty()) return;
  const Address address = control_address(settings);
  listener_.emplace(listen_unix_path(address, control_rights(), kBacklog), address);
  poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!poll_) fail_start(ExitStatus::system, concat("cannot create an epoll: ", reason(errno)));
  watch_listener();
}

void ControlServer::tend_socket() {
  if (!listener_ || !listener_->has_lost_path()) return;
  const Address address = listener_->address();
  try {
    pyhost::UniqueFd fresh = listen_unix_path(address, control_rights(), kBacklog);
    if (listening_) ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, listener_->fd().get(), nullptr);
    listening_ = false;
    listener_.emplace(std::move(fresh), address);
    watch_listener();
    socket_trouble_.clear();
    log_notice(concat("the path of ", address.text, " was removed, it is bound again"));
  } catch (const StartupError& error) {
    if (std::exchange(socket_trouble_, error.text) == error.text) return;
    log_error(concat("the path of ", address.text, " was removed or replaced: ", error.text,
                     "; trying again"));
  }
}

// --- events --------------------------------------------------------------------------------------

void ControlServer::on_events(TimePoint now) {
  std::array<epoll_event, kMaxClients + 1> events;
  const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), 0);
  bool arrivals = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events.at(static_cast<std::size_t>(i));
    if (event.data.ptr == this) {
      arrivals = true;
    } else {
      serve(*static_cast<Client*>(event.data.ptr), event.events, now);
    }
  }
  if (arrivals) accept_clients(now);
}

void ControlServer::accept_clients(TimePoint now) {
  // No more in a turn: others have a turn, too, while somebody connects and connects.
  for (std::size_t count = 0; count < kMaxClients && has_room(); ++count) {
    pyhost::UniqueFd socket(
        ::accept4(listener_->fd().get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      // Without descriptors or memory the next one would be refused at once, again and again.
      if (errno != EAGAIN && errno != ECONNABORTED) paused_until_ = now + kPause;
      return;
    }
    if (open_clients() >= kMaxClients) oldest_silent()->connection.hang_up();
    serve(clients_.emplace_back(Client{.connection = {std::move(socket), now + kPatience}}),
          EPOLLIN, now);
  }
}

std::size_t ControlServer::open_clients() const {
  return static_cast<std::size_t>(std::ranges::count_if(clients_, [](const Client& client) {
    return client.connection.phase() != ControlConnection::Phase::over;
  }));
}

std::list<ControlServer::Client>::iterator ControlServer::oldest_silent() {
  return std::ranges::find_if(clients_, [](const Client& client) {
    return client.connection.phase() == ControlConnection::Phase::reading;
  });
}

bool ControlServer::has_room() {
  return open_clients() < kMaxClients || oldest_silent() != clients_.end();
}

void ControlServer::serve(Client& client, std::uint32_t events, TimePoint now) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return client.connection.hang_up();
  if (const auto line = client.connection.read()) on_request(client, *line, now);
  client.connection.write();
  watch(client);
}

// Where there is no memory to watch a client, it is given up: nothing would be heard of it again.
void ControlServer::watch(Client& client) {
  if (client.connection.phase() == ControlConnection::Phase::over) return;
  // EPOLLHUP and EPOLLERR cannot be left out, so that 0 is never what is waited for.
  const std::uint32_t wanted = client.connection.wanted_events() | EPOLLHUP;
  if (client.events == wanted) return;
  epoll_event event{.events = wanted, .data = {.ptr = &client}};
  const int operation = client.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (::epoll_ctl(poll_.get(), operation, client.connection.fd(), &event) != 0) {
    return client.connection.hang_up();
  }
  client.events = wanted;
}

// Only while there is room for another client.
void ControlServer::watch_listener() {
  const bool wanted = has_room() && !paused_until_;
  if (wanted == listening_) return;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = this}};
  const int operation = wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
  if (::epoll_ctl(poll_.get(), operation, listener_->fd().get(), &event) == 0) listening_ = wanted;
}

// --- requests ------------------------------------------------------------------------------------

void ControlServer::on_request(Client& client, const std::string& line, TimePoint now) {
  const std::size_t blank = std::min(line.find(' '), line.size());
  obey(client, std::string_view(line).substr(0, blank),
       line.substr(std::min(blank + 1, line.size())), now);
}

void ControlServer::obey(Client& client, std::string_view command, const std::string& argument,
                         TimePoint now) {
  if (command == "ping" || command == "status") {
    return ask(client, command == "ping" ? "ping" : argument, now);
  }
  const bool known = command == "reload" || command == "stop" || command == "reopen-logs";
  if (!known) {
    return answer(client, false, concat("unknown command ", in_quotes(command), "\n"), now);
  }
  log_notice(concat("control: ", command, argument.empty() ? "" : " ", argument, " asked for by ",
                    client.connection.peer()));
  if (command == "reload") return begin_reload(client, argument, now);
  if (command == "reopen-logs") {
    const std::string wrong = host_.reopen_logs();
    return answer(client, wrong.empty(), wrong, now);
  }
  client.connection.stay();
  answer(client, true, {}, now);
  host_.stop();
}

void ControlServer::answer(Client& client, bool ok, const std::string& text, TimePoint now) {
  client.job = Job::none;
  client.connection.answer(ok, text, now + kPatience);
  client.connection.write();
}

// --- questions to the gateway --------------------------------------------------------------------

void ControlServer::ask(Client& client, const std::string& form, TimePoint now) {
  client.subject = form;
  client.asked = host_.answering_gateway();
  if (client.asked < 0) return answer_without_gateway(client, "no gateway answers now", now);
  client.job = Job::question;
  client.number = 0;
  client.connection.wait_until(now + kGatewayPatience);
  put_question(client);
}

// Later, when too many wait for an answer by now.
void ControlServer::put_question(Client& client) {
  if (std::exchange(last_asked_, client.asked) != client.asked) last_answer_ = last_question_;
  if (last_question_ - last_answer_ >= kMaxUnanswered) return;
  client.number = ++last_question_;
  host_.ask_gateway(client.number, client.subject);
}

void ControlServer::on_answer(Message& message, TimePoint now) {
  last_answer_ = message.worker;
  const auto client = std::ranges::find_if(clients_, [&message](const Client& each) {
    return each.job == Job::question && each.number == message.worker;
  });
  if (client == clients_.end()) return;  // its time was up
  answer_question(*client, message, now);
  watch(*client);
}

void ControlServer::answer_question(Client& client, Message& message, TimePoint now) {
  const auto size = message.fds.empty() ? std::nullopt : size_of_memory(message.fds.front());
  if (client.result) {
    answer(client, client.result->ok, client.result->text, now);
  } else if (!size) {
    const std::string& why = message.text;
    answer_without_gateway(client, why.empty() ? "the gateway's answer is no text" : why, now);
  } else if (client.subject == "ping") {
    answer(client, true, "pong\n", now);
  } else {
    client.job = Job::none;
    client.connection.answer_from(std::move(message.fds.front()), *size, now + kPatience);
    client.connection.write();
  }
}

// The status of a daemon in trouble is asked for most.
void ControlServer::answer_without_gateway(Client& client, const std::string& problem,
                                           TimePoint now) {
  if (client.result) return answer(client, client.result->ok, client.result->text, now);
  if (client.subject == "ping") return answer(client, false, problem + "\n", now);
  answer(client, true, status_text(host_.own_report(problem), client.subject), now);
}

void ControlServer::check_question(Client& client, TimePoint now) {
  if (host_.answering_gateway() != client.asked) {
    answer_without_gateway(client, concat("the gateway, pid ", client.asked, ", has ended"), now);
  } else if (*client.connection.due() <= now) {
    answer_without_gateway(client,
                           concat("the gateway, pid ", client.asked, ", has not answered within ",
                                  duration_text(kGatewayPatience)),
                           now);
  } else if (client.number == 0) {
    put_question(client);
  }
}

// --- reload --------------------------------------------------------------------------------------

void ControlServer::begin_reload(Client& client, const std::string& pool, TimePoint now) {
  if (const std::string wrong = host_.begin_reload(pool); !wrong.empty()) {
    return answer(client, false, wrong + "\n", now);
  }
  client.job = Job::reload;
  client.subject = pool;
  // Options "start-timeout" and "stop-timeout" see to its end.
  client.connection.wait_until(std::nullopt);
}

// The gateway hears of a take-over by a message: once it has answered another, requests and status
// pages are those of the new generation.
void ControlServer::check_reload(Client& client, TimePoint now) {
  client.result = host_.reload_result(client.subject);
  if (client.result) ask(client, "ping", now);
}

// --- time ----------------------------------------------------------------------------------------

void ControlServer::advance(TimePoint now) {
  if (!listener_) return;
  if (paused_until_ && *paused_until_ <= now) paused_until_.reset();
  for (Client& client : clients_) {
    if (client.job == Job::reload) check_reload(client, now);
    if (client.job == Job::question) check_question(client, now);
    if (client.connection.due() && *client.connection.due() <= now) client.connection.hang_up();
    watch(client);
  }
  std::erase_if(clients_, [this](const Client& client) {
    if (client.connection.phase() != ControlConnection::Phase::over) return false;
    // Closing is not enough while a process that is being forked has the descriptor as well.
    ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, client.connection.fd(), nullptr);
    return true;
  });
  watch_listener();
}

std::optional<ControlServer::TimePoint> ControlServer::next_due() const {
  std::optional<TimePoint> next = paused_until_;
  for (const Client& client : clients_) {
    const auto due = client.connection.due();
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

}  // namespace pycgid
