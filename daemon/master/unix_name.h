// Addresses of Unix sockets as the system calls take them. Pure.
#pragma once

#include "daemon/settings.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace pycgid {

struct UnixName {
  sockaddr_un address{};
  socklen_t length = 0;
};

// For text of at most kMaxSocketPath bytes, as everywhere here.
inline UnixName unix_path_name(const std::string& path) {
  UnixName name;
  name.address.sun_family = AF_UNIX;
  std::ranges::copy(path, name.address.sun_path);
  name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return name;
}

inline UnixName unix_abstract_name(const std::string& text) {
  UnixName name;
  name.address.sun_family = AF_UNIX;
  std::ranges::copy(text, name.address.sun_path + 1);
  name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return name;
}

inline UnixName unix_name(const Address& address) {
  const bool abstract = address.kind == Address::Kind::unix_abstract;
  return abstract ? unix_abstract_name(address.path) : unix_path_name(address.path);
}

}  // namespace pycgid
