// One request and its answer, from the front server's first byte to its last: collects variables
// and body, waits its turn in the Dispatcher, feeds the worker, hands the answer to the connection.
// Owned by its connection. Two independent byte streams with flow control: an answer may begin
// before the body has come, and the body may go on after the answer. The gateway's thread only.
#pragma once

#include "daemon/gateway/access_record.h"
#include "daemon/gateway/body_store.h"
#include "daemon/gateway/cgi_request.h"
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/pool_stats.h"
#include "daemon/gateway/reply.h"
#include "daemon/settings.h"

#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace pycgid {

class AccessLog;
class Dispatcher;
class Exchange;
struct PoolRecord;
class Worker;

// The connection, as the owner of exchanges. Both calls destroy the exchange.
class ExchangeOwner {
 public:
  virtual ReplyTarget& target(Exchange& exchange) = 0;
  // The whole answer is in the target.
  virtual void complete(Exchange& exchange) = 0;
  // The answer must be seen to be incomplete by the front.
  virtual void cut(Exchange& exchange) = 0;

 protected:
  ~ExchangeOwner() = default;
};

// What all exchanges of a pool share. The settings are those in force: they may change from one
// turn to the next.
struct ExchangeContext {
  EventLoop& loop;
  Dispatcher& dispatcher;
  const PoolRecord& record;
  const PoolSettings& pool;
  const Settings& settings;
  AccessLog* access_log = nullptr;  // null: none, whatever the options say

  bool logs_access() const;
};

class Exchange final : public Timer, public boost::intrusive::list_base_hook<> {
 public:
  enum class Role { responder, authorizer, filter };
  enum class Input { params, body, ended };

  Exchange(const ExchangeContext& context, ExchangeOwner& owner, std::uint16_t fcgi_id, Role role);
  ~Exchange() override;

  std::uint16_t fcgi_id() const { return fcgi_id_; }
  const std::string& id() const { return id_; }
  // "request 5f3a-12 (GET /path)" for log lines.
  std::string describe() const;
  // A line about it, which begins with that; `object` is its pool or its worker.
  void log(LogLevel level, std::string_view object, std::string_view text) const;

  // It goes to this worker, past the queue, and to no other.
  void assign_to(Worker& worker) { assigned_ = &worker; }

  // --- from the front; each may answer, and so destroy the exchange --------------------------
  void add_param(std::string_view name, std::string_view value);
  void params_ended();
  void body(std::string_view bytes);
  void body_ended();
  // Nothing more has come for now. A request that is not buffered waits for this before it starts:
  // a body that is withheld shows by then, and the application is told a length of 0.
  void start_if_due();
  void data(std::string_view bytes);
  void data_ended();
  // Answers `status` at once; `why` goes to the log.
  void refuse(int status, std::string_view why);
  // The target has sent something: there may be room again.
  void room_made();

  Input input() const { return input_; }
  // The front has ended the last stream of the request; input() may say `ended` before, when
  // CONTENT_LENGTH is reached.
  bool stream_ended() const { return stream_ended_; }
  Clock::time_point last_input() const { return last_input_; }

  // --- from Dispatcher and Worker -----------------------------------------------------------
  // The exchange waits for a thread and has no worker.
  void queued();
  // Writes the request into the slot and submits it. False: it did not fit and was refused (the
  // exchange is gone), the slot is free.
  bool submit(Worker& worker, std::uint32_t slot);
  // It has waited in vain: answers 503. The exchange is gone.
  void give_up(Failure cause, std::string_view why);
  // The worker has touched the slot.
  void ready();
  // The request was taken back before the worker had seen it.
  void taken_back();
  // The worker is gone: answers 502, or cuts its answer, and says which. The exchange is gone.
  std::string worker_lost();
  // It runs for too long: answers 504, or cuts its answer. The exchange is gone.
  void timed_out();
  // It runs longer than option "slow-request".
  void was_slow();
  // Some of the answer is on its way to the front.
  bool started() const { return reply_.started(); }
  bool can_be_repeated() const { return !streaming_ && assigned_ == nullptr; }
  // A thread has become free for a request that was handed ahead. False: it had one already.
  bool take_thread();

  Worker* worker() const { return worker_; }
  std::uint32_t slot() const { return slot_; }
  Clock::time_point queued_since() const { return queued_since_; }
  const CgiRequest& request() const { return request_; }

  // For the access log, when it has ended. The variables move: it can only be destroyed then.
  AccessRecord access_record();

 private:
  void on_timer() override;
  bool input_matters() const { return !dispatched_ || streaming_; }
  bool expects_body() const;
  void take_as_withheld();
  void body_complete();
  void store_body(std::string_view bytes);
  void store_data(std::string_view bytes);
  void dispatch();
  void feed_body();
  std::size_t feed_from_store();
  void lose_body(std::error_code error);
  std::error_code merge_filter_data();
  void refuse_unstored(std::error_code error);
  bool write_params(pyhost::ParamsWriter& params) const;
  bool place_body(pyhost::GatewayEnd& channel, pyhost::RequestHead& head);
  bool answer_own_page();
  void answer_error(int status, unsigned retry_after);
  void answer_whole(int status, std::string answer);
  void detach_worker();
  void note_dropped_header();
  void log_problem(std::string_view text) const;
  void log_answer(LogLevel level, int status, std::string_view why) const;
  PoolStats& stats() const;
  void record_times() const;

  ExchangeContext context_;
  ExchangeOwner& owner_;
  CgiRequest request_;
  BodyStore body_;
  BodyStore data_;  // the DATA stream of a Filter
  Reply reply_;
  std::string own_answer_;  // the gateway's, in place of the reply; kept for the access log
  std::string id_;
  std::uint64_t received_ = 0;  // bytes of the body
  std::uint64_t data_at_ = 0;   // where DATA begins in a Filter's body
  std::uint64_t fed_ = 0;       // bytes of body_ that are in the worker's ring
  Worker* worker_ = nullptr;
  Worker* assigned_ = nullptr;
  std::uint32_t slot_ = 0;
  std::int32_t worker_pid_ = 0;
  std::uint16_t fcgi_id_ = 0;
  Role role_ = Role::responder;
  Input input_ = Input::params;
  bool stream_ended_ = false;
  bool streaming_ = false;   // the application runs while the body comes
  bool start_due_ = false;   // its variables are whole, and it is not handed to the dispatcher yet
  bool dispatched_ = false;  // handed to the dispatcher
  bool through_ring_ = false;
  bool body_whole_ = false;
  bool body_end_told_ = false;
  bool complete_ = false;  // the whole answer was handed to the target
  int own_status_ = 0;
  Clock::time_point began_;
  Clock::time_point last_input_;
  // Unset for one that never came so far.
  Clock::time_point queued_since_;
  Clock::time_point taken_;  // by a thread
};

}  // namespace pycgid
