// A FastCGI connection: several requests, one after the other or at once.
#pragma once

#include "daemon/gateway/connection.h"
#include "fcgi/decoder.h"
#include "fcgi/encoder.h"

namespace pycgid {

class FcgiConnection final : public Connection {
 public:
  FcgiConnection(const ExchangeContext& context, ConnectionOwner& owner, Peer peer);

 private:
  void on_bytes(std::string_view bytes) override;
  // A FastCGI front that closes its end aborts its requests (F28).
  bool survives_eof() const override { return false; }

  void on_event(const fcgi::Event& event);
  void start_due();
  // Something that is not part of a response was appended.
  void answered();
  void on_request_event(const fcgi::Event& event, Exchange& exchange);
  void begin(const fcgi::Event& event);
  void abort(Exchange& exchange);
  Exchange* find(std::uint16_t request_id);
  void ended(Exchange& exchange);

  ReplyTarget& target(Exchange& exchange) override;
  void complete(Exchange& exchange) override;
  void cut(Exchange& exchange) override;
  void send(std::string_view bytes) override;
  void send_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset,
                 std::uint64_t length) override;

  fcgi::Decoder decoder_;
  fcgi::GetValuesResult values_;
  std::uint16_t sending_id_ = 0;   // whose bytes send() frames
  bool close_after_last_ = false;  // a request without FCGI_KEEP_CONN was seen
  bool truncated_ = false;         // an answer was cut: the connection must not end well
  bool input_used_up_ = true;      // no ended request has STDIN outstanding
};

}  // namespace pycgid
