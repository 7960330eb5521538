// Who has a socket that we cannot have, see socket_holder.h.
#include "daemon/master/socket_holder.h"

#include "daemon/master/unix_name.h"
#include "daemon/option_values.h"
#include "daemon/read_file.h"
#include "daemon/text.h"
#include "pyhost/unique_fd.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <vector>

namespace pycgid {
namespace {

namespace fs = std::filesystem;

std::string first_line(const std::string& path) {
  const std::string text = read_file(path).text;
  return text.substr(0, text.find_first_of(std::string_view("\0\n", 2)));
}

// What /proc/PID/fd shows of the sockets that listen on a port: "socket:[INODE]".
std::set<std::string> listening_sockets(std::uint16_t port) {
  constexpr std::string_view kListening = "0A";
  std::set<std::string> found;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::istringstream file(read_file(table, kLargestTable).text);
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields(line);
      std::vector<std::string> field;
      for (std::string each; fields >> each;) field.push_back(each);
      if (field.size() < 10 || field[3] != kListening) continue;
      const std::string hex = field[1].substr(field[1].find(':') + 1);
      unsigned number = 0;
      std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
      if (number == port) found.insert(concat("socket:[", field[9], "]"));
    }
  }
  return found;
}

bool has_one_of(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;
  for (const fs::directory_entry& fd : fs::directory_iterator(process / "fd", error)) {
    if (sockets.contains(fs::read_symlink(fd.path(), error).string())) return true;
  }
  return false;
}

// The oldest process that has it; one that is not ours comes first.
std::optional<SocketHolder> holder_of_port(std::uint16_t port) {
  const std::set<std::string> sockets = listening_sockets(port);
  if (sockets.empty()) return std::nullopt;
  std::vector<SocketHolder> holders;
  std::error_code error;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc", error)) {
    const auto pid = parse_number(process.path().filename().string());
    if (!pid || !has_one_of(process.path(), sockets)) continue;
    if (auto holder = holder_with_pid(static_cast<pid_t>(*pid))) holders.push_back(*holder);
  }
  if (holders.empty()) return std::nullopt;
  return *std::ranges::min_element(holders, [](const SocketHolder& one, const SocketHolder& other) {
    return std::pair(one.is_pycgid, one.pid) < std::pair(other.is_pycgid, other.pid);
  });
}

// The kernel remembers who called listen(2).
std::optional<SocketHolder> holder_of_unix(const Address& address) {
  const pyhost::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const UnixName name = unix_name(address);
  const auto* where = reinterpret_cast<const sockaddr*>(&name.address);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::connect(fd.get(), where, name.length) != 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return std::nullopt;
  }
  return holder_with_pid(peer.pid);
}

}  // namespace

std::optional<SocketHolder> holder_with_pid(pid_t pid) {
  const std::string process = concat("/proc/", pid);
  const std::string name = first_line(process + "/comm");
  if (pid <= 0 || name.empty()) return std::nullopt;
  const std::string title = first_line(process + "/cmdline");
  const bool ours = title.starts_with("pycgid: master") || title.starts_with("pycgid: gateway");
  return SocketHolder{pid, concat("process ", pid, " (", ours ? title : name, ")"), ours};
}

std::optional<SocketHolder> find_holder(const Address& address) {
  if (address.kind == Address::Kind::tcp) return holder_of_port(address.port);
  return holder_of_unix(address);
}

}  // namespace pycgid
