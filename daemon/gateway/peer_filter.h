// Which TCP peers may connect: option "allow-peer" (CIDR) and the variable FCGI_WEB_SERVER_ADDRS
// (FastCGI 1.0 section 3.2). Pure.
#pragma once

#include "daemon/settings.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace pycgid {

class PeerFilter {
 public:
  // Adds "10.0.0.0/8", "::1" and so on; bits after the prefix don't count. False, and nothing
  // added, when it is not an address or a network.
  bool add(std::string_view cidr);
  // Adds the addresses of FCGI_WEB_SERVER_ADDRS, separated by commas. An empty list is as good as
  // none (so it is for libfcgi). False, and nothing added, when one is unusable: don't serve then.
  bool add_web_server_addrs(std::string_view list);

  // With no entry everybody is allowed. Unix peers are allowed unless FCGI_WEB_SERVER_ADDRS is set
  // (section 3.2: "not TCP/IP" means close). IPv4-mapped IPv6 peers match IPv4 networks.
  bool allows(const sockaddr_storage& peer) const;

 private:
  struct Network {
    int family = 0;
    std::array<std::uint8_t, 16> address{};
    unsigned prefix = 0;
  };
  static std::optional<Network> parse(std::string_view cidr);
  static bool matches(const Network& network, const Network& peer);
  static Network host(const sockaddr_storage& peer);
  static Network unmapped(Network network);

  std::vector<Network> networks_;
  bool tcp_only_ = false;
};

// What option "allow-peer" and the environment say.
PeerFilter configured_peers(const Settings& settings);

// "192.0.2.1:4711", "[::1]:4711", "unix" for log lines; an IPv4-mapped address as IPv4.
std::string peer_name(const sockaddr_storage& peer);

}  // namespace pycgid
