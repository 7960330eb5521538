#include "daemon/gateway/scgi_connection.h"

#include <cstdint>

namespace pycgid {

ScgiConnection::ScgiConnection(const ExchangeContext& context, ConnectionOwner& owner, Peer peer)
    : Connection(context, owner, std::move(peer)),
      decoder_(scgi::Limits{.params = static_cast<std::size_t>(context.pool.max_params)}) {}

// S6: the front may close its sending half behind the body.
bool ScgiConnection::survives_eof() const {
  return body_ended_;
}

void ScgiConnection::on_bytes(std::string_view bytes) {
  if (exchanges().empty() && !body_ended_) add_exchange(0, Exchange::Role::responder);
  while (!dead()) {
    const scgi::Event event = decoder_.next(bytes);
    if (event.type == scgi::EventType::need_more) {
      if (!exchanges().empty()) exchanges().front()->start_if_due();
      return;
    }
    if (event.type == scgi::EventType::body_end) body_ended_ = true;
    // Answered already: the rest is only read so that closing does not reset the connection.
    if (exchanges().empty()) {
      if (event.type == scgi::EventType::error) return;
      continue;
    }
    on_event(event);
    if (event.type == scgi::EventType::error) return;
  }
}

void ScgiConnection::on_event(const scgi::Event& event) {
  Exchange& exchange = *exchanges().front();
  switch (event.type) {
    case scgi::EventType::param:
      return exchange.add_param(event.name, event.value);
    case scgi::EventType::params_end:
      return exchange.params_ended();
    case scgi::EventType::body:
      return exchange.body(event.bytes);
    case scgi::EventType::body_end:
      return exchange.body_ended();
    case scgi::EventType::error:
      return refuse_variables(exchange, event.http_status, event.reason, {});
    default:
      return;
  }
}

void ScgiConnection::ended() {
  remove_exchange(*exchanges().front());
  close_when_sent(body_ended_);
}

void ScgiConnection::send(std::string_view bytes) {
  output().append(bytes);
  output_added();
}

void ScgiConnection::send_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset,
                               std::uint64_t length) {
  output_queue().add_file(std::move(file), offset, length);
  output_added();
}

void ScgiConnection::complete(Exchange&) {
  ended();
}

// S7: SCGI marks no end, so only a reset tells the front that the answer is not whole.
void ScgiConnection::cut(Exchange& exchange) {
  remove_exchange(exchange);
  reset_when_sent();
}

}  // namespace pycgid
