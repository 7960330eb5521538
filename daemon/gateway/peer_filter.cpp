// See peer_filter.h. An IPv4-mapped IPv6 address or network becomes IPv4 at once, wherever it comes
// from, so that a dual-stack listener is matched like one that speaks IPv4 alone.
#include "daemon/gateway/peer_filter.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>

namespace pycgid {

namespace {

constexpr unsigned kMappedPrefix = 96;

unsigned address_bits(int family) {
  return family == AF_INET ? 32 : 128;
}

std::optional<unsigned> parse_prefix(std::string_view digits, unsigned most) {
  unsigned prefix = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, prefix);
  if (error != std::errc{} || stop != end || prefix > most) return std::nullopt;
  return prefix;
}

// A socket address is read by copying: sockaddr_storage may not be looked at through a cast.
template <class Address>
Address copied(const sockaddr_storage& peer) {
  Address address;
  static_assert(sizeof address <= sizeof peer);
  std::memcpy(&address, &peer, sizeof address);
  return address;
}

std::uint16_t port_of(const sockaddr_storage& peer) {
  return ntohs(peer.ss_family == AF_INET ? copied<sockaddr_in>(peer).sin_port
                                         : copied<sockaddr_in6>(peer).sin6_port);
}

}  // namespace

PeerFilter::Network PeerFilter::unmapped(Network network) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (network.family != AF_INET6 || network.prefix < kMappedPrefix) return network;
  if (!std::equal(kMapped.begin(), kMapped.end(), network.address.begin())) return network;
  Network plain{AF_INET, {}, network.prefix - kMappedPrefix};
  std::copy_n(network.address.begin() + kMapped.size(), 4, plain.address.begin());
  return plain;
}

std::optional<PeerFilter::Network> PeerFilter::parse(std::string_view cidr) {
  const std::size_t slash = cidr.find('/');
  const std::string address(cidr.substr(0, slash));
  Network network;
  network.family = address.find(':') == address.npos ? AF_INET : AF_INET6;
  network.prefix = address_bits(network.family);
  if (::inet_pton(network.family, address.c_str(), network.address.data()) != 1) return {};
  if (slash != cidr.npos) {
    const auto prefix = parse_prefix(cidr.substr(slash + 1), network.prefix);
    if (!prefix) return {};
    network.prefix = *prefix;
  }
  return unmapped(network);
}

bool PeerFilter::add(std::string_view cidr) {
  const auto network = parse(cidr);
  if (network) networks_.push_back(*network);
  return network.has_value();
}

bool PeerFilter::add_web_server_addrs(std::string_view list) {
  if (list.empty()) return true;
  std::vector<Network> added;
  for (std::size_t start = 0; start <= list.size();) {
    const std::size_t comma = std::min(list.find(',', start), list.size());
    const std::string_view address = list.substr(start, comma - start);
    const auto network = parse(address);
    if (!network || address.find('/') != address.npos) return false;
    added.push_back(*network);
    start = comma + 1;
  }
  networks_.insert(networks_.end(), added.begin(), added.end());
  tcp_only_ = true;
  return true;
}

// The peer's address as a network of one; its family is 0 when that is not IP.
PeerFilter::Network PeerFilter::host(const sockaddr_storage& peer) {
  Network network;
  if (peer.ss_family == AF_INET) {
    const auto address = copied<sockaddr_in>(peer).sin_addr;
    network = {AF_INET, {}, address_bits(AF_INET)};
    std::memcpy(network.address.data(), &address, sizeof address);
  } else if (peer.ss_family == AF_INET6) {
    const auto address = copied<sockaddr_in6>(peer).sin6_addr;
    network = {AF_INET6, {}, address_bits(AF_INET6)};
    std::memcpy(network.address.data(), &address, sizeof address);
  }
  return unmapped(network);
}

bool PeerFilter::matches(const Network& network, const Network& peer) {
  if (network.family != peer.family) return false;
  const unsigned whole = network.prefix / 8;
  const unsigned odd = network.prefix % 8;
  const auto& wanted = network.address;
  if (!std::equal(wanted.begin(), wanted.begin() + whole, peer.address.begin())) return false;
  return odd == 0 || (wanted[whole] ^ peer.address[whole]) >> (8 - odd) == 0;
}

bool PeerFilter::allows(const sockaddr_storage& peer) const {
  const Network address = host(peer);
  if (address.family == 0) return !tcp_only_;
  return networks_.empty() ||
         std::any_of(networks_.begin(), networks_.end(),
                     [&](const Network& network) { return matches(network, address); });
}

PeerFilter configured_peers(const Settings& settings) {
  PeerFilter filter;
  for (const std::string& network : settings.allow_peer) filter.add(network);
  if (const char* list = std::getenv("FCGI_WEB_SERVER_ADDRS")) filter.add_web_server_addrs(list);
  return filter;
}

std::string peer_name(const sockaddr_storage& peer) {
  if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) return "unix";
  std::array<char, INET6_ADDRSTRLEN> text{};
  const std::string port = ":" + std::to_string(port_of(peer));
  if (peer.ss_family == AF_INET) {
    const auto address = copied<sockaddr_in>(peer).sin_addr;
    return ::inet_ntop(AF_INET, &address, text.data(), text.size()) + port;
  }
  const auto address = copied<sockaddr_in6>(peer).sin6_addr;
  ::inet_ntop(AF_INET6, &address, text.data(), text.size());
  constexpr std::string_view kMapped = "::ffff:";
  const std::string_view name = text.data();
  if (IN6_IS_ADDR_V4MAPPED(&address)) return std::string(name.substr(kMapped.size())) + port;
  return "[" + std::string(name) + "]" + port;
}

}  // namespace pycgid
