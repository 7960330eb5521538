// Parsing of listening addresses, see address.h.
#include "daemon/address.h"

#include "daemon/option_values.h"
#include "daemon/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <optional>

namespace pycgid {
namespace {

constexpr std::string_view kForms =
    "write unix:/path, unix:@name, HOST:PORT, [V6]:PORT, *:PORT, fd:N or systemd:NAME";
constexpr std::string_view kTls = "tls:";

bool is_ip(int family, const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(family, host.c_str(), bytes.data()) == 1;
}

std::string parse_unix(std::string_view path, Address& address) {
  const bool abstract = path.starts_with('@');
  if (abstract) path.remove_prefix(1);
  if (path.empty()) return "the name of the socket is missing";
  if (!abstract && !path.starts_with('/')) return "the path of the socket must begin with \"/\"";
  if (!abstract && path.ends_with('/')) return "the path is that of a directory";
  if (path.size() > kMaxSocketPath) {
    return concat("the path is longer than ", kMaxSocketPath, " bytes");
  }
  address.kind = abstract ? Address::Kind::unix_abstract : Address::Kind::unix_path;
  address.path = path;
  return {};
}

std::string parse_fd(std::string_view text, Address& address) {
  const auto number = parse_number(text);
  if (!number || *number > 65'535) return "a descriptor is a number";
  if (*number == 1 || *number == 2) return "descriptors 1 and 2 are standard output and error";
  address.kind = Address::Kind::inherited_fd;
  address.fd = static_cast<int>(*number);
  return {};
}

std::string parse_systemd(std::string_view text, Address& address) {
  address.kind = Address::Kind::systemd;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  address.name = text.substr(colon + 1);
  if (address.name.empty()) return "the name of the descriptors is missing";
  return address.name.find(':') == std::string::npos ? "" : "no name of a descriptor holds \":\"";
}

std::string check_host(std::string_view host, bool bracketed) {
  const std::string name(host);
  if (bracketed) return is_ip(AF_INET6, name) ? "" : concat(in_quotes(host), " is no IPv6 address");
  if (host == "*" || host == "localhost" || is_ip(AF_INET, name)) return {};
  if (is_ip(AF_INET6, name)) return "an IPv6 address stands in brackets: [V6]:PORT";
  return concat(in_quotes(host), " is no numeric address; ", kForms);
}

std::string parse_tcp(std::string_view text, Address& address) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::string(kForms);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (std::string wrong = check_host(host, bracketed); !wrong.empty()) return wrong;
  const auto port = parse_number(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65'535) return "the port must be between 1 and 65535";
  address.kind = Address::Kind::tcp;
  address.host = host;
  address.port = static_cast<std::uint16_t>(*port);
  return {};
}

std::string parse_tls(std::string_view text, Address& address) {
  for (std::string_view other : {"unix:", "fd:", "tls:", "systemd"}) {
    if (text.starts_with(other)) return "\"tls:\" stands before HOST:PORT only";
  }
  address.tls = true;
  return parse_tcp(text, address);
}

// Without what leads nowhere: "//" and "/./". What ".." leads to only the file system knows.
std::string plain_path(std::string_view path) {
  std::string plain;
  while (!path.empty()) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view name = path.substr(0, path.find('/'));
    if (!name.empty() && name != ".") plain += concat("/", name);
    path.remove_prefix(name.size());
  }
  return plain;
}

// One host, one text.
std::string plain_host(const std::string& host) {
  if (host == "localhost") return "127.0.0.1";
  std::array<unsigned char, 16> bytes{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_pton(AF_INET6, host.c_str(), bytes.data()) != 1) return host;
  return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
}

// Whoever listens on `wide` has the port of `host` too.
bool covers(const std::string& wide, const std::string& host) {
  if (wide == "*") return true;
  const bool is_v6 = host.find(':') != std::string::npos;
  return plain_host(wide) == (is_v6 ? "::" : "0.0.0.0");
}

}  // namespace

bool is_tls_address(std::string_view text) {
  return text.starts_with(kTls);
}

std::string parse_address(std::string_view text, Protocol protocol, Address& address) {
  address = Address{};
  address.protocol = protocol;
  address.text = text;
  if (text.find('\0') != std::string_view::npos) return "it holds a NUL byte";
  if (is_tls_address(text)) return parse_tls(text.substr(kTls.size()), address);
  if (text == "systemd" || text.starts_with("systemd:")) return parse_systemd(text, address);
  if (text.starts_with("unix:")) return parse_unix(text.substr(5), address);
  if (text.starts_with("fd:")) return parse_fd(text.substr(3), address);
  return parse_tcp(text, address);
}

std::string socket_key(const Address& address) {
  const bool is_path = address.kind == Address::Kind::unix_path;
  return concat(static_cast<int>(address.kind), " ",
                is_path ? plain_path(address.path) : address.path, " ", address.name, " ",
                plain_host(address.host), " ", unsigned{address.port}, " ", address.fd);
}

bool exclude_each_other(const Address& one, const Address& other) {
  if (socket_key(one) == socket_key(other)) return true;
  const bool on_one_port =
      one.kind == Address::Kind::tcp && other.kind == one.kind && one.port == other.port;
  return on_one_port && (covers(one.host, other.host) || covers(other.host, one.host));
}

std::string_view option_name(Protocol protocol) {
  if (protocol == Protocol::control) return "control";
  return protocol == Protocol::scgi ? "scgi" : "fastcgi";
}

}  // namespace pycgid
