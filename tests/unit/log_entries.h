// Entries of a worker's log socket as tests compare them, a line each:
//
//   \x01 LEVEL REQUEST-ID \x01 line of the text \n
#pragma once

#include "pyhost/log_socket.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <sys/socket.h>

// Appends the next entry. False at the end; `got` tells whether there was one.
inline bool append_entry(int socket, std::string& text, bool& got) {
  static std::array<char, pyhost::kMaxLogPacket> packet;
  const ssize_t count = ::recv(socket, packet.data(), packet.size(), MSG_DONTWAIT);
  got = count > 0;
  if (count <= 0) return count < 0;
  const auto entry = pyhost::parse_entry({packet.data(), static_cast<std::size_t>(count)});
  if (!entry) return true;
  std::string_view rest = entry->text;
  do {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    text += '\x01';
    text += static_cast<char>(entry->level);
    text.append(entry->request_id).append("\x01").append(line).append("\n");
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  } while (!rest.empty());
  return true;
}
