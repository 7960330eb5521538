// One connection of a front server: reading, sending, deadlines, and an end that never resets a
// connection which carries an answer. The protocol is the derived class's. The gateway's thread
// only.
#pragma once

#include "daemon/gateway/access_log.h"
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/exchange.h"
#include "daemon/gateway/output_queue.h"
#include "daemon/gateway/tls_stream.h"
#include "pyhost/unique_fd.h"

#include <boost/intrusive/list.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

class Connection;

// What was accepted.
struct Peer {
  pyhost::UniqueFd socket;
  std::string name;
  std::unique_ptr<TlsStream> tls{};  // null: plain
};

// The gateway, as connections see it.
class ConnectionOwner {
 public:
  // There is something to send; flush() is called at the end of the turn.
  virtual void flush_later(Connection& connection) = 0;
  // It is over and is destroyed at the end of the turn.
  virtual void closed(Connection& connection) = 0;
  // No new requests are taken on idle connections: they close.
  virtual bool finishing() const = 0;

 protected:
  ~ConnectionOwner() = default;
};

// Connections that no Poller watches yet: most are over before that is needed.
using UnwatchedHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct UnwatchedTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// All connections of the gateway.
using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct ConnectionTag>>;

class Connection : public Watched,
                   public Timer,
                   public ReplyTarget,
                   public ExchangeOwner,
                   public UnwatchedHook,
                   public ConnectionHook {
 public:
  Connection(const ExchangeContext& context, ConnectionOwner& owner, Peer peer);
  ~Connection() override;

  // Reads what is there already.
  void start();
  // Puts it under the Poller.
  void watch();
  // Sends what is pending; called once after flush_later.
  void flush();
  // The gateway, or the pool, is finishing: closes when idle. One that has just been accepted has
  // its request on the way, and a moment to send it.
  void close_if_idle();

  bool dead() const { return dead_; }
  const Dispatcher& dispatcher() const { return context_.dispatcher; }
  Clock::time_point last_read() const { return last_read_; }
  std::uint64_t pending() const override { return output_.pending(); }

 protected:
  // Decodes and acts. Everything in `bytes` is used.
  virtual void on_bytes(std::string_view bytes) = 0;
  // The front has sent all that it will send. True: it may still read (a half-close).
  virtual bool survives_eof() const = 0;

  const ExchangeContext& context() const { return context_; }
  EventLoop& loop() const { return context_.loop; }
  std::string& output() { return output_.bytes(); }
  OutputQueue& output_queue() { return output_; }
  // Call after appending to output().
  void output_added();

  Exchange& add_exchange(std::uint16_t fcgi_id, Exchange::Role role);
  void remove_exchange(Exchange& exchange);
  // For what the decoder says of its variables, and of this one, if it has a name.
  void refuse_variables(Exchange& exchange, int status, std::string_view why,
                        std::string_view name) const;
  std::vector<std::unique_ptr<Exchange>>& exchanges() { return exchanges_; }

  // Closes when no request is left and everything is sent. `input_used_up`: nothing more is
  // expected from the front, so that a plain close cannot reset; otherwise what still comes is read
  // and dropped until the front closes.
  void close_when_sent(bool input_used_up);
  // The same, but TLS is not told that it was the end.
  void cut_when_sent(bool input_used_up);
  // The same, but by a reset where the socket knows one (TCP).
  void reset_when_sent();
  // The connection can't be used any more: its requests are aborted. `why` is logged when not
  // empty.
  void fail(std::string_view why);
  // The next deadline may be nearer than the one that is set.
  void update_deadline();
  const std::string& peer() const { return peer_; }

 private:
  void on_events(std::uint32_t events) override;
  void on_timer() override;
  void read();
  void on_ciphertext(std::string_view bytes);
  void decrypt();
  void on_tls_failed();
  bool is_shaking_hands() const { return tls_ && !tls_->established(); }
  void complain(std::string_view why) const;
  void end_when_told();
  void note_ended(Exchange& exchange);
  void on_broken();
  void on_lost() { fail(tls_ ? tls_->complaint_at_end() : ""); }
  void on_eof(bool whole_connection);
  void on_sent_all();
  bool finishing() const;
  void drain_and_close();
  bool leaves_answer_unfinished() const;
  void close();
  std::uint32_t wanted_events() const;
  void update_events();
  bool check_exchange_deadlines();
  Clock::time_point next_deadline() const;
  Clock::time_point exchange_deadline(const Exchange& exchange) const;

  ExchangeContext context_;
  ConnectionOwner& owner_;
  pyhost::UniqueFd socket_;
  std::string peer_;
  std::unique_ptr<TlsStream> tls_;  // null: plain
  OutputQueue output_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  UnsentRecords unsent_records_;
  Clock::time_point last_read_;
  Clock::time_point last_sent_;
  Clock::time_point armed_for_{};
  std::uint32_t events_ = 0;  // what the Poller watches for; 0 with watched_ false: nothing
  bool watched_ = false;
  bool had_request_ = false;
  bool flush_asked_ = false;
  bool blocked_ = false;
  bool eof_ = false;
  bool close_when_sent_ = false;
  bool input_used_up_ = false;
  bool cut_ = false;
  bool reset_ = false;
  bool lingering_ = false;
  bool dead_ = false;
};

}  // namespace pycgid
