#include "daemon/gateway/connection.h"

#include "daemon/gateway/dispatcher.h"
#include "daemon/log.h"
#include "daemon/option_values.h"
#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace pycgid {
namespace {

// Reads in a row before others get their turn.
constexpr int kReadsPerTurn = 4;
// How long a front that we have answered and closed may go on sending.
constexpr Milliseconds kLingerTimeout{30'000};
constexpr Milliseconds kFirstRequestWhenFinishing{1'000};

}  // namespace

Connection::Connection(const ExchangeContext& context, ConnectionOwner& owner, Peer peer)
    : context_(context),
      owner_(owner),
      socket_(std::move(peer.socket)),
      peer_(std::move(peer.name)),
      tls_(std::move(peer.tls)),
      last_read_(context.loop.now()),
      last_sent_(context.loop.now()) {
  ++context_.dispatcher.stats().open_connections;
}

Connection::~Connection() {
  --context_.dispatcher.stats().open_connections;
}

void Connection::start() {
  update_deadline();
  read();
}

// --- reading ------------------------------------------------------------------------------------

void Connection::on_events(std::uint32_t events) {
  if (dead_) return;
  if ((events & EPOLLERR) != 0) return on_broken();
  if ((events & EPOLLIN) != 0 && !eof_) read();
  if (dead_) return;
  if ((events & EPOLLHUP) != 0) return on_eof(true);
  if ((events & EPOLLOUT) == 0) return;
  if (tls_ && tls_->read_blocked()) decrypt();
  flush();
}

void Connection::read() {
  const std::span<char> buffer = loop().read_buffer();
  for (int i = 0; i < kReadsPerTurn && !dead_ && !eof_; ++i) {
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0) return on_eof(false);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) on_lost();
      return;
    }
    last_read_ = loop().now();
    const auto size = static_cast<std::size_t>(count);
    if (tls_) {
      on_ciphertext({buffer.data(), size});
    } else if (!lingering_) {
      on_bytes({buffer.data(), size});
    }
    if (size < buffer.size()) break;
  }
  update_deadline();
}

void Connection::on_eof(bool whole_connection) {
  if (eof_ && !whole_connection) return;
  eof_ = true;
  if (lingering_ || whole_connection || !survives_eof()) return on_lost();
  update_events();
}

// --- sending ------------------------------------------------------------------------------------

void Connection::output_added() {
  if (std::exchange(flush_asked_, true)) return;
  owner_.flush_later(*this);
}

void Connection::flush() {
  flush_asked_ = false;
  if (dead_) return;
  const std::uint64_t before = output_.total_sent();
  const auto result = tls_ ? output_.flush(*tls_) : output_.flush(socket_.get());
  if (output_.total_sent() != before) last_sent_ = loop().now();
  if (!unsent_records_.empty()) {
    unsent_records_.sent(output_.total_sent(), loop().now(), *context_.access_log);
  }
  if (result == OutputQueue::Flushed::broken) return fail("");
  if (result == OutputQueue::Flushed::short_file) {
    return fail("a file became shorter while it was sent");
  }
  if (result == OutputQueue::Flushed::unreadable_file) {
    return fail("a file of an answer cannot be read: Input/output error");
  }
  blocked_ = result == OutputQueue::Flushed::blocked;
  if (!blocked_) return on_sent_all();
  watch();
  update_events();
  update_deadline();
  if (output_.pending() * 2 <= context_.pool.response_buffer) on_sent_all();
}

// There is room again for those who wait for it; what they add is flushed in this turn, too.
void Connection::on_sent_all() {
  for (std::size_t i = 0; i < exchanges_.size() && !dead_; ++i) {
    const std::size_t count = exchanges_.size();
    exchanges_[i]->room_made();
    if (exchanges_.size() < count) --i;
  }
  if (dead_ || blocked_ || output_.pending() > 0) return;
  update_events();
  if (close_when_sent_ && exchanges_.empty()) return end_when_told();
  close_if_idle();
}

// --- ending -------------------------------------------------------------------------------------

void Connection::close_when_sent(bool input_used_up) {
  close_when_sent_ = true;
  input_used_up_ = input_used_up;
  output_added();
}

// Everything is sent, but the end of TLS needs room in the socket as well.
void Connection::end_when_told() {
  if (!tls_ || cut_ || tls_->say_end()) {
    return input_used_up_ || eof_ ? close() : drain_and_close();
  }
  blocked_ = true;
  watch();
  update_events();
  update_deadline();
}

void Connection::cut_when_sent(bool input_used_up) {
  cut_ = true;
  close_when_sent(input_used_up);
}

void Connection::reset_when_sent() {
  reset_ = true;
  cut_when_sent(true);
}

// A close with unread input resets the connection, and the answer might be lost with it (S8).
void Connection::drain_and_close() {
  if (std::exchange(lingering_, true)) return;
  ::shutdown(socket_.get(), SHUT_WR);
  last_read_ = loop().now();
  watch();
  update_deadline();
}

bool Connection::finishing() const {
  return owner_.finishing() || context_.dispatcher.is_leaving();
}

void Connection::close_if_idle() {
  if (dead_ || lingering_ || !finishing() || !exchanges_.empty() || pending() > 0) return;
  if (had_request_)
    close_when_sent(true);
  else
    update_deadline();
}

void Connection::fail(std::string_view why) {
  if (dead_) return;
  complain(why);
  close();
}

void Connection::complain(std::string_view why) const {
  if (why.empty()) return;
  PeerNotices& notices = context_.dispatcher.peer_notices();
  if (!notices.is_due({LogLevel::warning, "connections closed", why})) return;
  log_line(LogLevel::warning, context_.pool.name,
           concat("connection from ", peer_, " closed: ", why));
}

// Then a plain close could look like the regular end of the answer.
bool Connection::leaves_answer_unfinished() const {
  return pending() > 0 || std::any_of(exchanges_.begin(), exchanges_.end(),
                                      [](const auto& exchange) { return exchange->started(); });
}

void Connection::close() {
  if (std::exchange(dead_, true)) return;
  reset_ = reset_ || leaves_answer_unfinished();
  for (const auto& exchange : exchanges_) note_ended(*exchange);
  exchanges_.clear();
  if (!unsent_records_.empty()) unsent_records_.lost(loop().now(), *context_.access_log);
  cancel();
  if (reset_) {
    const linger no_linger{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &no_linger, sizeof no_linger);
  }
  socket_.reset();
  if (UnwatchedHook::is_linked()) UnwatchedHook::unlink();
  owner_.closed(*this);
}

// --- exchanges ----------------------------------------------------------------------------------

Exchange& Connection::add_exchange(std::uint16_t fcgi_id, Exchange::Role role) {
  had_request_ = true;
  exchanges_.push_back(std::make_unique<Exchange>(context_, *this, fcgi_id, role));
  update_deadline();
  return *exchanges_.back();
}

void Connection::refuse_variables(Exchange& exchange, int status, std::string_view why,
                                  std::string_view name) const {
  constexpr int kTooLarge = 431;
  if (status == kTooLarge) {
    const std::string limit = size_text(context_.pool.max_params);
    return exchange.refuse(status, concat(why, " (option \"max-params\" is ", limit, ")"));
  }
  exchange.refuse(status, name.empty() ? std::string(why) : concat(why, ": ", in_quotes(name)));
}

void Connection::note_ended(Exchange& exchange) {
  if (!context_.logs_access()) return;
  unsent_records_.add(exchange.access_record(), output_.total_sent() + output_.pending());
}

void Connection::remove_exchange(Exchange& exchange) {
  note_ended(exchange);
  std::erase_if(exchanges_, [&](const auto& entry) { return entry.get() == &exchange; });
  update_deadline();
}

// --- watching -----------------------------------------------------------------------------------

void Connection::watch() {
  if (dead_ || watched_) return;
  if (UnwatchedHook::is_linked()) UnwatchedHook::unlink();
  events_ = wanted_events();
  watched_ = loop().poller().add(socket_.get(), events_, *this);
  if (!watched_) fail("the kernel watches no more sockets (fs.epoll.max_user_watches)");
}

std::uint32_t Connection::wanted_events() const {
  std::uint32_t wanted = eof_ ? 0U : static_cast<std::uint32_t>(EPOLLIN);
  if (blocked_) wanted |= EPOLLOUT;
  // Nothing is read before that has gone on.
  if (tls_ && tls_->read_blocked() && !lingering_) wanted = EPOLLOUT;
  return wanted;
}

void Connection::update_events() {
  if (!watched_ || dead_) return;
  const std::uint32_t wanted = wanted_events();
  if (wanted == events_) return;
  events_ = wanted;
  loop().poller().modify(socket_.get(), events_, *this);
}

// --- deadlines ----------------------------------------------------------------------------------

Clock::time_point Connection::exchange_deadline(const Exchange& exchange) const {
  switch (exchange.input()) {
    case Exchange::Input::params:
      return exchange.last_input() + context_.pool.params_timeout;
    case Exchange::Input::body:
      return exchange.last_input() + context_.pool.body_timeout;
    case Exchange::Input::ended:
      break;
  }
  return Clock::time_point::max();
}

Clock::time_point Connection::next_deadline() const {
  if (lingering_) return last_read_ + kLingerTimeout;
  auto next = Clock::time_point::max();
  if (blocked_) next = last_sent_ + context_.pool.send_timeout;
  for (const auto& exchange : exchanges_) next = std::min(next, exchange_deadline(*exchange));
  if (!exchanges_.empty() || blocked_) return next;
  // A handshake has its time as a whole, from accepting on.
  const auto idle = is_shaking_hands() ? last_sent_ : std::max(last_read_, last_sent_);
  if (had_request_) return idle + context_.pool.keep_timeout;
  const auto patience = context_.pool.params_timeout;
  return idle + (finishing() ? std::min(patience, kFirstRequestWhenFinishing) : patience);
}

// A timer that fires early costs one look; moving it at each read would cost more.
void Connection::update_deadline() {
  if (dead_) return;
  const auto next = next_deadline();
  if (next == Clock::time_point::max()) return;
  if (armed() && armed_for_ <= next) return;
  armed_for_ = next;
  loop().timers().set(*this, next);
}

void Connection::on_timer() {
  const auto now = loop().now();
  if (next_deadline() > now) return update_deadline();
  if (lingering_) return close();
  if (blocked_ && last_sent_ + context_.pool.send_timeout <= now) {
    context_.dispatcher.stats().count(Expiry::send);
    return fail("it took nothing for option \"send-timeout\"");
  }
  if (!check_exchange_deadlines()) return update_deadline();
  if (exchanges_.empty()) {
    if (had_request_) return close_when_sent(true);
    fail(is_shaking_hands() ? "its TLS handshake was not over within option \"params-timeout\""
                            : "it sent no request within option \"params-timeout\"");
  }
}

// Ends the requests whose input does not come. True: there was none such.
bool Connection::check_exchange_deadlines() {
  const auto now = loop().now();
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    Exchange& exchange = *exchanges_[i];
    if (exchange_deadline(exchange) > now) continue;
    const bool params = exchange.input() == Exchange::Input::params;
    context_.dispatcher.stats().count(params ? Expiry::params : Expiry::body);
    exchange.refuse(408, params ? "nothing came for option \"params-timeout\""
                                : "nothing came for option \"body-timeout\"");
    close_when_sent(false);
    return false;
  }
  return true;
}

}  // namespace pycgid
