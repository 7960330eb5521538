// An SCGI connection: one request.
#pragma once

#include "daemon/gateway/connection.h"
#include "scgi/decoder.h"

namespace pycgid {

class ScgiConnection final : public Connection {
 public:
  ScgiConnection(const ExchangeContext& context, ConnectionOwner& owner, Peer peer);

 private:
  void on_bytes(std::string_view bytes) override;
  bool survives_eof() const override;

  void on_event(const scgi::Event& event);
  void ended();

  ReplyTarget& target(Exchange&) override { return *this; }
  void complete(Exchange& exchange) override;
  void cut(Exchange& exchange) override;
  void send(std::string_view bytes) override;
  void send_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset,
                 std::uint64_t length) override;

  scgi::Decoder decoder_;
  bool body_ended_ = false;
};

}  // namespace pycgid
