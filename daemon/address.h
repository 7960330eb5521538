// Parsing of the addresses that options "fastcgi" and "scgi" take. Pure: nothing is resolved or
// opened here.
#pragma once

#include "daemon/settings.h"

#include <string>
#include <string_view>

namespace pycgid {

// Longest path of a Unix socket: sun_path less the suffix of its temporary name (listener.cpp).
inline constexpr std::size_t kMaxSocketPath = 96;

// Fills `address` from "unix:/path", "unix:@abstract", "HOST:PORT", "[V6]:PORT", "*:PORT", "fd:N",
// "systemd" or "systemd:NAME"; "tls:" may stand before one with a port. Returns what is wrong with
// it, "" when nothing is.
std::string parse_address(std::string_view text, Protocol protocol, Address& address);

// The same for two addresses that only one socket can have, whatever the protocol.
std::string socket_key(const Address& address);

// Two sockets cannot be bound to these at once: one address, or one host of "*" or "0.0.0.0" or
// "::" and the same port.
bool exclude_each_other(const Address& one, const Address& other);

// Whether TLS is spoken on an address that was parsed well.
bool is_tls_address(std::string_view text);

// The option that such an address is given to: "fastcgi", "scgi" or "control".
std::string_view option_name(Protocol protocol);

}  // namespace pycgid
