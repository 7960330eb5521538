#include "daemon/gateway/exchange.h"

#include "daemon/gateway/access_log.h"
#include "daemon/gateway/debug_params.h"
#include "daemon/gateway/dispatcher.h"
#include "daemon/gateway/own_pages.h"
#include "daemon/gateway/worker.h"
#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace pycgid {
namespace {

constexpr unsigned kRetryAfterSeconds = 5;

bool is_shortage(std::error_code error) {
  constexpr int kShortages[] = {ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE, ENOMEM};
  return std::ranges::find(kShortages, error.value()) != std::end(kShortages);
}

std::string quoted_uri(const CgiRequest& request) {
  std::string text(request.method());
  if (text.empty()) return "unread";
  return text.append(" ").append(request.uri().substr(0, 512));
}

}  // namespace

bool ExchangeContext::logs_access() const {
  return access_log != nullptr && access_log->is_on();
}

Exchange::Exchange(const ExchangeContext& context, ExchangeOwner& owner, std::uint16_t fcgi_id,
                   Role role)
    : context_(context),
      owner_(owner),
      id_(context.dispatcher.next_request_id()),
      fcgi_id_(fcgi_id),
      role_(role),
      began_(context.loop.now()),
      last_input_(began_) {}

Exchange::~Exchange() {
  if (queued_since_ != Clock::time_point{}) record_times();
  if (worker_ != nullptr) {
    detach_worker();
  } else if (dispatched_) {
    context_.dispatcher.withdraw(*this);
  }
}

PoolStats& Exchange::stats() const {
  return context_.dispatcher.stats();
}

void Exchange::record_times() const {
  const Clock::time_point now = context_.loop.now();
  const bool taken = taken_ != Clock::time_point{};
  stats().queue_time.add((taken ? taken_ : now) - queued_since_);
  stats().duration.add(now - queued_since_);
}

std::string Exchange::describe() const {
  return "request " + id_ + " (" + quoted_uri(request_) + ")";
}

void Exchange::log_problem(std::string_view text) const {
  log(LogLevel::error, context_.pool.name, text);
}

void Exchange::log(LogLevel level, std::string_view object, std::string_view text) const {
  log_record({.level = level,
              .object = object,
              .request_id = id_,
              .text = concat(describe(), ": ", text),
              .names_request = true});
}

// --- from the front -----------------------------------------------------------------------------

void Exchange::add_param(std::string_view name, std::string_view value) {
  last_input_ = context_.loop.now();
  if (context_.pool.debug_params) log_sent_variable({context_.pool.name, id_}, name, value);
  request_.add(name, value);
}

void Exchange::params_ended() {
  last_input_ = context_.loop.now();
  input_ = Input::body;
  if (role_ == Role::authorizer) request_.add("FCGI_ROLE", "AUTHORIZER");
  if (role_ == Role::filter) request_.add("FCGI_ROLE", "FILTER");
  const RequestRules rules{context_.pool.mount, context_.pool.path_info_from_front};
  if (const auto refusal = request_.finish(rules)) return refuse(refusal->status, refusal->reason);
  if (role_ == Role::responder && answer_own_page()) return;
  if (request_.is_head()) reply_.drop_body();
  const auto length = request_.content_length();
  if (length && *length > context_.pool.max_body) {
    return refuse(413,
                  "CONTENT_LENGTH " + std::to_string(*length) + " is above option \"max-body\"");
  }
  if (!expects_body()) {
    body_whole_ = true;
    input_ = Input::ended;
    return dispatch();
  }
  if (role_ == Role::filter) return;
  // The front holds the end of STDIN back while an upgrade is possible (FRONTS.md 3.8).
  streaming_ = !context_.pool.request_buffering || (!length && request_.wants_upgrade());
  start_due_ = streaming_;
}

void Exchange::start_if_due() {
  if (std::exchange(start_due_, false)) dispatch();
}

// A declared length of 0 needs no end of STDIN to be believed; mod_authnz_fcgi sends no STDIN at
// all.
bool Exchange::expects_body() const {
  if (role_ == Role::authorizer) return false;
  if (role_ == Role::filter) return true;
  const auto length = request_.content_length();
  return !length || *length > 0;
}

void Exchange::body(std::string_view bytes) {
  last_input_ = context_.loop.now();
  const auto length = request_.content_length();
  if (!expects_body()) return;
  // RFC 3875 section 4.2: not a byte more than CONTENT_LENGTH.
  if (length) bytes = bytes.substr(0, *length - std::min(*length, received_));
  if (bytes.empty()) return;
  received_ += bytes.size();
  if (received_ > context_.pool.max_body)
    return refuse(413, "its body is above option \"max-body\"");
  if (streaming_ && fed_ == body_.size() && worker_ != nullptr && through_ring_) {
    bytes.remove_prefix(worker_->channel().write_body(slot_, bytes));
  }
  if (!bytes.empty()) return store_body(bytes);
  if (length && received_ == *length && role_ == Role::responder) body_complete();
}

void Exchange::store_body(std::string_view bytes) {
  const auto error = body_.append(bytes, context_.pool.body_buffer, context_.settings.temp_dir);
  if (error) return refuse_unstored(error);
  const auto length = request_.content_length();
  if (length && received_ == *length && role_ == Role::responder) body_complete();
}

void Exchange::body_ended() {
  last_input_ = context_.loop.now();
  stream_ended_ = role_ != Role::filter;
  const bool empty = received_ == 0 && request_.content_length().value_or(0) > 0;
  if (empty && role_ == Role::responder && input_ == Input::body) return take_as_withheld();
  body_complete();
}

// The request of nginx's auth_request or mirror has the CONTENT_LENGTH of the one that it stands
// for, and an empty STDIN. A client that breaks off looks otherwise: its connection ends.
void Exchange::take_as_withheld() {
  request_.set_content_length(0);
  body_whole_ = true;
  input_ = Input::ended;
  streaming_ ? feed_body() : dispatch();
}

void Exchange::body_complete() {
  if (input_ == Input::ended || !expects_body()) return;
  const auto length = request_.content_length();
  body_whole_ = !length || received_ == *length;
  if (role_ == Role::filter && body_whole_) return;  // DATA follows
  input_ = Input::ended;
  if (streaming_) return feed_body();
  if (!body_whole_) {
    return refuse(400, "its body ended after " + std::to_string(received_) + " of " +
                           std::to_string(*length) + " bytes");
  }
  dispatch();
}

void Exchange::data(std::string_view bytes) {
  last_input_ = context_.loop.now();
  if (role_ != Role::filter || input_ == Input::ended) return;
  if (data_.size() + bytes.size() > context_.pool.max_body) {
    return refuse(413, "its DATA stream is above option \"max-body\"");
  }
  const auto error = data_.append(bytes, context_.pool.body_buffer, context_.settings.temp_dir);
  if (error) refuse_unstored(error);
}

void Exchange::data_ended() {
  last_input_ = context_.loop.now();
  stream_ended_ = true;
  if (role_ != Role::filter || input_ != Input::body) return;
  input_ = Input::ended;
  const std::string_view declared = request_.get("FCGI_DATA_LENGTH");
  if (!declared.empty() && declared != std::to_string(data_.size())) {
    return refuse(400, "its DATA stream has another length than FCGI_DATA_LENGTH");
  }
  if (const auto error = merge_filter_data()) return refuse_unstored(error);
  dispatch();
}

bool Exchange::answer_own_page() {
  auto page = own_page(context_, request_.path(), request_.get("QUERY_STRING"));
  if (page) answer_whole(200, std::move(*page));
  return page.has_value();
}

void Exchange::refuse(int status, std::string_view why) {
  if (status == 500) stats().count(Failure::internal);
  // Of those that are answered 503, OverloadNotices tells.
  const LogLevel level = status == 503   ? LogLevel::info
                         : status >= 500 ? LogLevel::error
                                         : LogLevel::notice;
  log_answer(level, status, why);
  answer_error(status, status == 503 ? kRetryAfterSeconds : 0);
}

void Exchange::log_answer(LogLevel level, int status, std::string_view why) const {
  const std::string what = concat("answered ", status);
  if (!context_.dispatcher.peer_notices().is_due({level, what, why})) return;
  log(level, context_.pool.name, concat(what, ": ", why));
}

// A disk or a table of descriptors that is full has room again before long: 503. Anything else is a
// fault: 500.
void Exchange::refuse_unstored(std::error_code error) {
  const bool shortage = is_shortage(error);
  const int status = shortage ? 503 : 500;
  stats().count(Failure::internal);
  log_answer(LogLevel::error, status,
             concat("cannot keep its body in a temporary file in \"", context_.settings.temp_dir,
                    "\": ", error.message(), " (option \"temp-dir\")"));
  answer_error(status, shortage ? kRetryAfterSeconds : 0);
}

void Exchange::answer_error(int status, unsigned retry_after) {
  if (reply_.started()) return owner_.cut(*this);
  answer_whole(status, error_response(status, retry_after));
}

void Exchange::answer_whole(int status, std::string answer) {
  if (request_.is_head()) answer.resize(answer.find("\r\n\r\n") + 4);
  owner_.target(*this).send(answer);
  own_status_ = status;
  complete_ = true;
  if (context_.logs_access()) own_answer_ = std::move(answer);
  owner_.complete(*this);
}

void Exchange::room_made() {
  if (worker_ != nullptr || reply_.ended()) ready();
}

// --- to the worker ------------------------------------------------------------------------------

void Exchange::dispatch() {
  if (dispatched_) return;
  dispatched_ = true;
  if (assigned_ != nullptr) {
    assigned_->submit(*this);
    return;
  }
  ++stats().requests;
  if (!context_.dispatcher.enqueue(*this)) {
    dispatched_ = false;
    const bool refusing = context_.dispatcher.is_refusing();
    context_.dispatcher.note_refusal(refusing ? Failure::not_started : Failure::queue_full);
    refuse(503, refusing ? context_.dispatcher.why_refusing()
                         : "the queue is full (option \"max-queue\")");
  }
}

void Exchange::queued() {
  queued_since_ = context_.loop.now();
  if (context_.pool.queue_timeout.count() > 0) {
    context_.loop.timers().set(*this, queued_since_ + context_.pool.queue_timeout);
  }
}

// It waited too long: in the queue, or handed ahead to a worker that did not get to it.
void Exchange::on_timer() {
  if (worker_ != nullptr) {
    if (!worker_->take_back(slot_)) return;
    worker_->note_standing();
    worker_ = nullptr;
  }
  give_up(Failure::queue_timeout,
          context_.dispatcher.anyone_serves()
              ? "it waited longer than option \"queue-timeout\""
              : "it waited longer than option \"queue-timeout\", and no worker was ready");
}

void Exchange::give_up(Failure cause, std::string_view why) {
  context_.dispatcher.withdraw(*this);
  dispatched_ = false;
  taken_ = {};
  context_.dispatcher.note_refusal(cause);
  refuse(503, why);
}

// --- from the worker ----------------------------------------------------------------------------

void Exchange::ready() {
  if (through_ring_) feed_body();
  ReplyTarget& target = owner_.target(*this);
  const std::uint64_t room = context_.pool.response_buffer;
  const auto progress = worker_ != nullptr ? reply_.take(worker_->channel(), slot_, target, room)
                                           : reply_.resume(target, room);
  if (!reply_.dropped_header().empty()) note_dropped_header();
  switch (progress) {
    case Reply::Progress::waiting:
      return;
    case Reply::Progress::more:
      return worker_->serve_again(slot_);
    case Reply::Progress::no_room:
      if (reply_.ended()) detach_worker();
      return;
    case Reply::Progress::complete:
      if (reply_.status() >= 500) stats().count(Failure::application);
      if (reply_.had_surplus()) log_problem("the application sent more than its Content-Length");
      complete_ = true;
      return owner_.complete(*this);
    case Reply::Progress::cut:
      if (!reply_.problem().empty()) log_problem(reply_.problem());
      return owner_.cut(*this);
    case Reply::Progress::failed:
      if (!reply_.problem().empty()) log_problem(reply_.problem());
      stats().count(Failure::application);
      return answer_error(500, 0);
    case Reply::Progress::violation: {
      Worker& worker = *worker_;
      worker.violated(reply_.problem());
      return;
    }
  }
}

// Once a pool: frameworks do it in every answer.
void Exchange::note_dropped_header() {
  if (std::exchange(stats().told_of_dropped_header, true)) return;
  log(LogLevel::warning, context_.pool.name,
      concat("dropped the application's header ", in_quotes(reply_.dropped_header()),
             ": it concerns one connection and is the web server's to set; such headers are "
             "dropped without a further message"));
}

void Exchange::was_slow() {
  ++stats().slow_requests;
}

void Exchange::timed_out() {
  stats().count(Failure::request_timeout);
  answer_error(504, 0);
}

bool Exchange::take_thread() {
  if (taken_ != Clock::time_point{}) return false;
  taken_ = context_.loop.now();
  return true;
}

void Exchange::taken_back() {
  worker_ = nullptr;
  worker_pid_ = 0;
  taken_ = {};
}

std::string Exchange::worker_lost() {
  std::string what = describe() + (reply_.started() ? ": answer cut" : ": answered 502");
  worker_ = nullptr;
  dispatched_ = false;
  if (!reply_.started()) stats().count(Failure::worker_died);
  answer_error(502, 0);
  return what;
}

void Exchange::detach_worker() {
  if (worker_ == nullptr) return;
  Worker* worker = std::exchange(worker_, nullptr);
  dispatched_ = false;
  // Nobody feeds the ring any more; a thread that still reads would wait for ever.
  if (through_ring_ && !body_end_told_) worker->channel().end_body(slot_, false);
  worker->detach(slot_, reply_.ended()       ? Worker::Leaves::read
                        : reply_.satisfied() ? Worker::Leaves::enough
                                             : Worker::Leaves::unwanted);
}

}  // namespace pycgid
