// The load generator's loop; see engine.h.
#include "tests/bench/engine.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <sys/epoll.h>
#include <utility>

namespace bench {
namespace {

constexpr int kPatienceMs = 10'000;  // without any answer at all, before giving up

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::string system_error(const char* call) {
  return std::string(call) + ": " + strerror(errno);
}

}  // namespace

Engine::Engine(Plan plan) : plan_(std::move(plan)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  connections_.reserve(plan_.connections);
  for (std::size_t i = 0; i < plan_.connections; ++i) connections_.emplace_back(plan_.protocol);
}

Result Engine::run() {
  const std::uint64_t begin = now_ns();
  deadline_ = begin + static_cast<std::uint64_t>(plan_.seconds * 1e9);
  busy_ = connections_.size();
  for (Connection& connection : connections_) next_request(connection, now_ns());
  std::array<epoll_event, 256> events{};
  while (busy_ > 0) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), kPatienceMs);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      result_.errors += busy_;
      if (result_.first_error.empty()) result_.first_error = "no answer for 10 seconds";
      break;
    }
    for (int i = 0; i < count; ++i) {
      on_ready(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
  }
  result_.seconds = static_cast<double>(now_ns() - begin) / 1e9;
  return std::move(result_);
}

bool Engine::more_to_do(std::uint64_t now) const {
  return plan_.requests > 0 ? issued_ < plan_.requests : now < deadline_;
}

void Engine::next_request(Connection& connection, std::uint64_t now) {
  if (!more_to_do(now)) {
    --busy_;
    return;
  }
  ++issued_;
  start(connection, now);
}

void Engine::start(Connection& connection, std::uint64_t now) {
  connection.started = now;
  connection.sent = 0;
  connection.reader.reset();
  if (!connection.fd && !open(connection)) {
    // A server that refuses would otherwise be asked again without end.
    fail(connection, system_error("connect"));
    --busy_;
    return;
  }
  send_rest(connection);
  watch(connection);
}

bool Engine::open(Connection& connection) {
  const Target& target = plan_.target;
  const auto* address = reinterpret_cast<const sockaddr*>(&target.address);
  const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  connection.watched = false;
  connection.fd.reset(socket(target.address.ss_family, type, 0));
  if (!connection.fd) return false;
  return connect(connection.fd.get(), address, target.length) == 0 || errno == EINPROGRESS;
}

// Room to write is watched for only where it was missing: each read of the server would wake us
// otherwise.
void Engine::watch(Connection& connection) {
  const bool unsent = connection.sent < plan_.request.size();
  if (connection.watched && !unsent) return;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (unsent) event.events |= EPOLLOUT;
  event.data.ptr = &connection;
  const int operation = connection.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  epoll_ctl(epoll_.get(), operation, connection.fd.get(), &event);
  connection.watched = true;
}

void Engine::on_ready(Connection& connection) {
  send_rest(connection);
  receive(connection);
}

// An error shows up again, with the server's last words before it, in receive().
void Engine::send_rest(Connection& connection) {
  while (connection.sent < plan_.request.size()) {
    const char* from = plan_.request.data() + connection.sent;
    const std::size_t size = plan_.request.size() - connection.sent;
    const ssize_t sent = send(connection.fd.get(), from, size, MSG_NOSIGNAL);
    if (sent < 0) return;
    connection.sent += static_cast<std::size_t>(sent);
  }
}

void Engine::receive(Connection& connection) {
  for (;;) {
    const ssize_t size = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) {
      fail(connection, system_error("recv"));
      return next_request(connection, now_ns());
    }
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(size));
    const auto state =
        size == 0 ? connection.reader.end_of_stream() : connection.reader.feed(bytes);
    if (state == AnswerReader::State::more) continue;
    if (state == AnswerReader::State::done) return finish(connection);
    fail(connection, size == 0 ? "connection closed inside an answer" : "answer cannot be read");
    return next_request(connection, now_ns());
  }
}

void Engine::finish(Connection& connection) {
  const std::uint64_t now = now_ns();
  const std::string mistake = mistake_in(connection.reader);
  if (!plan_.keep) connection.fd.reset();
  if (mistake.empty()) {
    ++result_.answers;
    result_.latency.add(now - connection.started);
  } else {
    fail(connection, mistake);
  }
  next_request(connection, now);
}

std::string Engine::mistake_in(const AnswerReader& reader) {
  if (reader.status() != 200) return "status " + std::to_string(reader.status());
  if (!plan_.expected_bytes) plan_.expected_bytes = reader.body_bytes();
  result_.body_bytes = reader.body_bytes();
  if (reader.body_bytes() == *plan_.expected_bytes) return {};
  return "body of " + std::to_string(reader.body_bytes()) + " bytes";
}

void Engine::fail(Connection& connection, const std::string& what) {
  ++result_.errors;
  if (result_.first_error.empty()) result_.first_error = what;
  connection.fd.reset();
}

}  // namespace bench
