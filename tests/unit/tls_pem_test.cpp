// PEM on its way from the master to the gateway, and what becomes of PEM that does not do.
#include "daemon/tls/tls_pem.h"

#include "daemon/tls/tls_context.h"
#include "tests/unit/catch.h"

#include <string>

namespace {

using namespace pycgid;

TEST_CASE("tls: PEM arrives over the link as it was", "[tls]") {
  auto [master, gateway] = Link::create();
  const TlsPem pem{"certificate", std::string(300'000, 'k'), ""};
  REQUIRE(master.send(tls_message(3, pem)));
  Message got;
  REQUIRE(gateway.receive(got) == Link::Received::message);
  CHECK(got.type == MessageType::tls);
  CHECK(got.pool == 3);
  const auto arrived = read_tls_message(got);
  REQUIRE(arrived);
  CHECK(*arrived == pem);
}

TEST_CASE("tls: a message without its descriptors is none", "[tls]") {
  CHECK_FALSE(read_tls_message(Message{.type = MessageType::tls}));
}

TEST_CASE("tls: what is no PEM is no certificate", "[tls]") {
  for (const char* text : {"", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
    TlsFault fault;
    CHECK_FALSE(make_tls_context({text, text, text}, fault));
    CHECK(fault.file == TlsFault::File::certificate);
    CHECK_FALSE(fault.why.empty());
  }
}

}  // namespace
