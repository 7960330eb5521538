#include "daemon/gateway/fcgi_connection.h"

#include <algorithm>
#include <cstdint>

namespace pycgid {
namespace {

constexpr std::size_t kMaxLiveRequests = 256;
// Answers to GET_VALUES and the like, which no application waits for room with.
constexpr std::uint64_t kMaxUnreadAnswers = 1 << 20;

fcgi::Limits limits_of(const PoolSettings& pool) {
  return {.params = static_cast<std::size_t>(pool.max_params), .requests = kMaxLiveRequests};
}

Exchange::Role role_of(fcgi::Role role) {
  switch (role) {
    case fcgi::Role::authorizer:
      return Exchange::Role::authorizer;
    case fcgi::Role::filter:
      return Exchange::Role::filter;
    case fcgi::Role::responder:
      break;
  }
  return Exchange::Role::responder;
}

}  // namespace

FcgiConnection::FcgiConnection(const ExchangeContext& context, ConnectionOwner& owner, Peer peer)
    : Connection(context, owner, std::move(peer)), decoder_(limits_of(context.pool)) {}

void FcgiConnection::on_bytes(std::string_view bytes) {
  decoder_.set_limits(limits_of(context().pool));
  while (!dead()) {
    const fcgi::Event event = decoder_.next(bytes);
    if (event.type == fcgi::EventType::need_more) return start_due();
    if (event.type == fcgi::EventType::error) return fail(event.reason);
    on_event(event);
  }
}

// A request that starts may be refused, and is gone then.
void FcgiConnection::start_due() {
  for (std::size_t i = 0; i < exchanges().size();) {
    const std::size_t count = exchanges().size();
    exchanges()[i]->start_if_due();
    if (exchanges().size() == count) ++i;
  }
}

void FcgiConnection::answered() {
  output_added();
  if (pending() > context().pool.response_buffer + kMaxUnreadAnswers) {
    fail("it does not read its answers");
  }
}

void FcgiConnection::on_event(const fcgi::Event& event) {
  switch (event.type) {
    case fcgi::EventType::begin:
      return begin(event);
    case fcgi::EventType::refuse:
      fcgi::append_end_request(output(), event.request_id, 0, event.end_status);
      if (!event.keep_connection && exchanges().empty()) close_when_sent(false);
      return answered();
    case fcgi::EventType::get_values:
      if (event.name == "FCGI_MAX_CONNS" || event.name == "FCGI_MAX_REQS") {
        return values_.add(event.name, std::to_string(context().settings.max_connections));
      }
      if (event.name == "FCGI_MPXS_CONNS") values_.add(event.name, "1");
      return;
    case fcgi::EventType::get_values_end:
      values_.append_to(output());
      values_ = {};
      return answered();
    case fcgi::EventType::unknown_type:
      fcgi::append_unknown_type(output(), event.record_type);
      return answered();
    default:
      if (Exchange* exchange = find(event.request_id)) on_request_event(event, *exchange);
  }
}

void FcgiConnection::on_request_event(const fcgi::Event& event, Exchange& exchange) {
  switch (event.type) {
    case fcgi::EventType::param:
      return exchange.add_param(event.name, event.value);
    case fcgi::EventType::params_end:
      return exchange.params_ended();
    case fcgi::EventType::body:
      return exchange.body(event.bytes);
    case fcgi::EventType::body_end:
      return exchange.body_ended();
    case fcgi::EventType::data:
      return exchange.data(event.bytes);
    case fcgi::EventType::data_end:
      return exchange.data_ended();
    case fcgi::EventType::abort:
      return abort(exchange);
    case fcgi::EventType::bad_request:
      return refuse_variables(exchange, event.http_status, event.reason, event.name);
    default:
      return;
  }
}

void FcgiConnection::begin(const fcgi::Event& event) {
  if (truncated_) {  // this connection only waits for its other requests
    decoder_.end(event.request_id);
    fcgi::append_end_request(output(), event.request_id, 0, fcgi::EndStatus::overloaded);
    return output_added();
  }
  if (!event.keep_connection) close_after_last_ = true;
  add_exchange(event.request_id, role_of(event.role));
}

// FCGI_END_REQUEST as soon as possible; the front wants nothing else of it (F27).
void FcgiConnection::abort(Exchange& exchange) {
  fcgi::append_end_request(output(), exchange.fcgi_id(), 0, fcgi::EndStatus::request_complete);
  ended(exchange);
}

Exchange* FcgiConnection::find(std::uint16_t request_id) {
  for (const auto& exchange : exchanges()) {
    if (exchange->fcgi_id() == request_id) return exchange.get();
  }
  return nullptr;
}

void FcgiConnection::ended(Exchange& exchange) {
  // What the front still sends of this request is swallowed by the decoder.
  if (!exchange.stream_ended()) input_used_up_ = false;
  decoder_.end(exchange.fcgi_id());
  remove_exchange(exchange);
  output_added();
  if (truncated_) {
    if (exchanges().empty()) fcgi::append_cut(output());
    return cut_when_sent(input_used_up_);
  }
  if (close_after_last_) close_when_sent(input_used_up_);
}

// --- the answer's way out -----------------------------------------------------------------------

ReplyTarget& FcgiConnection::target(Exchange& exchange) {
  sending_id_ = exchange.fcgi_id();
  return *this;
}

void FcgiConnection::send(std::string_view bytes) {
  fcgi::append_stdout(output(), sending_id_, bytes);
  output_added();
}

void FcgiConnection::send_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset,
                               std::uint64_t length) {
  while (length > 0) {
    const auto content =
        static_cast<std::size_t>(std::min<std::uint64_t>(length, fcgi::kMaxContent));
    std::size_t padding = 0;
    const auto header = fcgi::stdout_header(sending_id_, content, padding);
    output().append(header.data(), header.size());
    output_queue().add_file(file, offset, content);
    output().append(padding, '\0');
    offset += content;
    length -= content;
  }
  output_added();
}

void FcgiConnection::complete(Exchange& exchange) {
  fcgi::append_end(output(), exchange.fcgi_id());
  ended(exchange);
}

// Without END_REQUEST, and with the mark of a cut at the end of the connection: the front sees that
// the answer is not whole (W13). The mark waits for the other requests of this connection.
void FcgiConnection::cut(Exchange& exchange) {
  truncated_ = true;
  ended(exchange);
}

}  // namespace pycgid
