// Which peers may connect.
#include "daemon/gateway/peer_filter.h"

#include "tests/unit/catch.h"

#include <arpa/inet.h>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <netinet/in.h>
#include <string>

using pycgid::peer_name;
using pycgid::PeerFilter;

namespace {

sockaddr_storage ip(const std::string& address, std::uint16_t port = 4711) {
  sockaddr_storage storage{};
  if (address.find(':') == address.npos) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    REQUIRE(::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1);
    std::memcpy(&storage, &v4, sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    REQUIRE(::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1);
    std::memcpy(&storage, &v6, sizeof v6);
  }
  return storage;
}

sockaddr_storage unix_peer() {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  return storage;
}

PeerFilter filter(std::initializer_list<const char*> networks) {
  PeerFilter result;
  for (const char* network : networks) REQUIRE(result.add(network));
  return result;
}

}  // namespace

TEST_CASE("peer filter: without an entry everybody is allowed", "[gateway]") {
  const PeerFilter everybody;
  CHECK(everybody.allows(ip("192.0.2.1")));
  CHECK(everybody.allows(ip("2001:db8::1")));
  CHECK(everybody.allows(unix_peer()));
}

TEST_CASE("peer filter: single addresses", "[gateway]") {
  const PeerFilter peers = filter({"192.0.2.1", "2001:db8::1"});
  CHECK(peers.allows(ip("192.0.2.1")));
  CHECK(!peers.allows(ip("192.0.2.2")));
  CHECK(peers.allows(ip("2001:db8::1")));
  CHECK(!peers.allows(ip("2001:db8::2")));
  CHECK(!peers.allows(ip("c000:201::")));
  CHECK(peers.allows(unix_peer()));
}

TEST_CASE("peer filter: IPv4 networks at even and odd bits", "[gateway]") {
  CHECK(filter({"10.0.0.0/8"}).allows(ip("10.255.255.255")));
  CHECK(!filter({"10.0.0.0/8"}).allows(ip("11.0.0.0")));
  CHECK(filter({"10.0.0.128/25"}).allows(ip("10.0.0.128")));
  CHECK(!filter({"10.0.0.128/25"}).allows(ip("10.0.0.127")));
  CHECK(filter({"172.16.0.0/12"}).allows(ip("172.31.255.255")));
  CHECK(!filter({"172.16.0.0/12"}).allows(ip("172.32.0.0")));
  CHECK(filter({"192.0.2.4/31"}).allows(ip("192.0.2.5")));
  CHECK(!filter({"192.0.2.4/31"}).allows(ip("192.0.2.6")));
  CHECK(filter({"0.0.0.0/0"}).allows(ip("255.255.255.255")));
  CHECK(!filter({"0.0.0.0/0"}).allows(ip("::1")));
}

TEST_CASE("peer filter: IPv6 networks at even and odd bits", "[gateway]") {
  CHECK(filter({"2001:db8::/32"}).allows(ip("2001:db8:ffff::1")));
  CHECK(!filter({"2001:db8::/32"}).allows(ip("2001:db9::")));
  CHECK(filter({"fe80::/10"}).allows(ip("febf::1")));
  CHECK(!filter({"fe80::/10"}).allows(ip("fec0::1")));
  CHECK(filter({"::2/127"}).allows(ip("::3")));
  CHECK(!filter({"::2/127"}).allows(ip("::4")));
  CHECK(filter({"::/0"}).allows(ip("2001:db8::1")));
}

TEST_CASE("peer filter: bits after the prefix don't count", "[gateway]") {
  CHECK(filter({"10.1.2.3/8"}).allows(ip("10.9.9.9")));
  CHECK(filter({"10.0.0.255/25"}).allows(ip("10.0.0.129")));
}

TEST_CASE("peer filter: IPv4-mapped peers and networks are IPv4", "[gateway]") {
  CHECK(filter({"10.0.0.0/8"}).allows(ip("::ffff:10.1.2.3")));
  CHECK(!filter({"10.0.0.0/8"}).allows(ip("::ffff:11.1.2.3")));
  CHECK(filter({"::ffff:10.0.0.0/104"}).allows(ip("10.1.2.3")));
  CHECK(!filter({"::ffff:10.0.0.0/104"}).allows(ip("11.1.2.3")));
  CHECK(!filter({"10.0.0.0/8"}).allows(ip("::10.1.2.3")));
  CHECK(filter({"::ffff:0:0/95"}).allows(ip("::fffe:1.2.3.4")));
}

TEST_CASE("peer filter: what is no address or network is refused", "[gateway]") {
  PeerFilter peers;
  for (const char* bad :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1",
        "10.0.0.0/+8", "10.0.0.0/8 ", " 10.0.0.0", "10.0.0.0/8/8", "10.0.0.256", "localhost",
        "[::1]", "::g", "fe80::1%lo", "10.0.0.0/4294967304"}) {
    CHECK(!peers.add(bad));
  }
  CHECK(peers.allows(ip("192.0.2.1")));
}

TEST_CASE("F2: FCGI_WEB_SERVER_ADDRS allows its addresses and nobody else", "[gateway]") {
  PeerFilter peers;
  CHECK(peers.add_web_server_addrs("192.0.2.1,192.0.2.2,::1"));
  CHECK(peers.allows(ip("192.0.2.1")));
  CHECK(peers.allows(ip("192.0.2.2")));
  CHECK(peers.allows(ip("::1")));
  CHECK(!peers.allows(ip("192.0.2.3")));
  CHECK(!peers.allows(unix_peer()));
}

TEST_CASE("F2: allow-peer adds to FCGI_WEB_SERVER_ADDRS", "[gateway]") {
  PeerFilter peers = filter({"10.0.0.0/8"});
  CHECK(peers.add_web_server_addrs("192.0.2.1"));
  CHECK(peers.allows(ip("10.1.1.1")));
  CHECK(peers.allows(ip("192.0.2.1")));
  CHECK(!peers.allows(ip("192.0.2.2")));
}

TEST_CASE("F2: an empty FCGI_WEB_SERVER_ADDRS is none", "[gateway]") {
  PeerFilter peers;
  CHECK(peers.add_web_server_addrs(""));
  CHECK(peers.allows(ip("192.0.2.1")));
  CHECK(peers.allows(unix_peer()));
}

TEST_CASE("F2: an unusable FCGI_WEB_SERVER_ADDRS is refused whole", "[gateway]") {
  for (const char* bad : {"192.0.2.1,", ",192.0.2.1", "192.0.2.1,x", "192.0.2.0/24", ","}) {
    PeerFilter peers = filter({"10.0.0.0/8"});
    CHECK(!peers.add_web_server_addrs(bad));
    CHECK(!peers.allows(ip("192.0.2.1")));
    CHECK(peers.allows(unix_peer()));
  }
}

TEST_CASE("peer name: for log lines", "[gateway]") {
  CHECK(peer_name(ip("192.0.2.1")) == "192.0.2.1:4711");
  CHECK(peer_name(ip("::1", 65535)) == "[::1]:65535");
  CHECK(peer_name(ip("::ffff:192.0.2.1")) == "192.0.2.1:4711");
  CHECK(peer_name(unix_peer()) == "unix");
}
