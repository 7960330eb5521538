// The listening sockets, see bound_socket.h.
#include "daemon/master/bound_socket.h"

#include "daemon/address.h"
#include "daemon/log.h"
#include "daemon/master/bind_error.h"
#include "daemon/master/socket_holder.h"
#include "daemon/master/socket_reach.h"
#include "daemon/master/unix_socket.h"
#include "daemon/read_file.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pycgid {
namespace {

[[noreturn]] void cannot_bind_tcp(const Address& address, int error) {
  const bool low_port = error == EACCES && address.port < 1024;
  std::string why = reason(error);
  if (error == EADDRINUSE) {
    if (const auto holder = find_holder(address)) why += concat(" by ", holder->text);
  }
  cannot_bind(address, why, low_port ? "ports below 1024 need root" : "");
}

using AddressInfo = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressInfo numeric_address(const Address& address, const char* host) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host, std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) cannot_bind(address, gai_strerror(error));
  return {found, freeaddrinfo};
}

// At boot the network may still be on its way: the kernel takes an address that no interface has
// yet, and requests arrive when one has it.
bool bind_early(int fd, const addrinfo& where, const Address& address) {
  const int yes = 1;
  const bool is_v6 = where.ai_family == AF_INET6;
  const int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (setsockopt(fd, level, is_v6 ? IPV6_FREEBIND : IP_FREEBIND, &yes, sizeof yes) != 0)
    return false;
  if (::bind(fd, where.ai_addr, where.ai_addrlen) != 0) return false;
  log_warning(concat("no interface has the address of ", address.text, " ", option_of(address),
                     "; nobody can connect until one has it"));
  return true;
}

// Empty when the kernel does not know the address family.
pyhost::UniqueFd bind_tcp(const Address& address, const char* host, bool dual_stack) {
  const AddressInfo where = numeric_address(address, host);
  pyhost::UniqueFd fd(::socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd && errno == EAFNOSUPPORT) return fd;
  if (!fd) cannot_bind_tcp(address, errno);
  const int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (where->ai_family == AF_INET6) {
    const int v6_only = dual_stack ? 0 : 1;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  if (::bind(fd.get(), where->ai_addr, where->ai_addrlen) == 0) return fd;
  const int error = errno;
  if (error != EADDRNOTAVAIL || !bind_early(fd.get(), *where, address)) {
    cannot_bind_tcp(address, error);
  }
  return fd;
}

pyhost::UniqueFd bind_tcp(const Address& address) {
  const bool any = address.host == "*";
  const std::string host = any ? "::" : address.host == "localhost" ? "127.0.0.1" : address.host;
  pyhost::UniqueFd fd = bind_tcp(address, host.c_str(), any);
  // A kernel without IPv6 still has all of IPv4.
  if (!fd && any) fd = bind_tcp(address, "0.0.0.0", false);
  if (!fd) cannot_bind_tcp(address, EAFNOSUPPORT);
  return fd;
}

pyhost::UniqueFd listen_tcp(const Address& address, int backlog) {
  pyhost::UniqueFd fd = bind_tcp(address);
  if (::listen(fd.get(), backlog) != 0) cannot_bind_tcp(address, errno);
  return fd;
}

bool is_listening_stream(int fd) {
  int listening = 0;
  int type = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) return false;
  size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  sockaddr_storage peer{};
  size = sizeof peer;
  // ENOTCONN from getpeername is how the specification tells a listening socket.
  const bool connected = getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
  return listening != 0 && type == SOCK_STREAM && !connected && errno == ENOTCONN;
}

// Who wrote the command line passes the sockets too; what stands in a file may lack them this time.
[[noreturn]] void cannot_use(const Address& address, std::string_view why) {
  const bool in_file = option_of(address) != OptionPlaces().text(option_name(address.protocol));
  const std::string advice =
      address.kind == Address::Kind::systemd
          ? "have a socket unit pass it, see systemd.socket(5)"
          : concat("have the program that starts pycgid open it as descriptor ", address.fd);
  fail_start(in_file ? ExitStatus::system : ExitStatus::usage,
             concat("cannot use ", address.text, ": ", why, " ", option_of(address), "; ", advice,
                    ", or give another address, for instance unix:/run/pycgid.sock"));
}

// Why an inherited descriptor is of no use; "" when it is.
std::string fault_of_inherited(int fd) {
  if (is_listening_stream(fd)) return {};
  if (fcntl(fd, F_GETFD) < 0) return concat("there is no descriptor ", fd);
  return "it is not a listening stream socket";
}

// An own copy of an inherited socket, out of the way of 0, 1 and 2.
pyhost::UniqueFd copy_inherited(const Address& address) {
  if (const std::string why = fault_of_inherited(address.fd); !why.empty()) {
    cannot_use(address, why);
  }
  pyhost::UniqueFd fd(fcntl(address.fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!fd) cannot_bind(address, reason(errno));
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  return fd;
}

pyhost::UniqueFd adopt(const Address& address) {
  pyhost::UniqueFd fd = copy_inherited(address);
  pyhost::UniqueFd original(address.fd);
  if (address.fd == STDIN_FILENO) {
    const pyhost::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup2(null.get(), original.release());
  }
  return fd;
}

// The service manager's descriptor stays as it is: another pool may want it after a reload.
pyhost::UniqueFd activated(const Address& address) {
  if (address.fd < 0) {
    cannot_use(address, address.missing);
  }
  return copy_inherited(address);
}

pyhost::UniqueFd listen_on(const Address& address, const PoolSettings& pool, int backlog) {
  switch (address.kind) {
    case Address::Kind::inherited_fd:
      return adopt(address);
    case Address::Kind::systemd:
      return activated(address);
    case Address::Kind::tcp:
      return listen_tcp(address, backlog);
    case Address::Kind::unix_abstract:
      return listen_unix_abstract(address, backlog);
    case Address::Kind::unix_path:
      break;
  }
  return listen_unix_path(address, pool, backlog);
}

bool is_passed(const Address& address) {
  return address.kind == Address::Kind::inherited_fd || address.kind == Address::Kind::systemd;
}

// Who checks is seldom who starts: a notice, no fault. "" when the socket is there.
std::string not_passed_note(const Address& address) {
  const std::string why = address.fd < 0 ? address.missing : fault_of_inherited(address.fd);
  if (why.empty()) return {};
  return concat(address.text, " is not there: ", why, " ", option_of(address),
                "; the start needs it");
}

// What -t has to say of an address that the running daemon has; "" when it is free. Throws
// StartupError when others have it, or when it cannot be had at all.
std::string try_address(const Address& address, const PoolSettings& pool) {
  if (is_passed(address)) return not_passed_note(address);
  if (address.kind == Address::Kind::unix_path) return check_socket_path(address, pool);
  try {
    if (address.kind == Address::Kind::tcp) {
      bind_tcp(address);
    } else {
      listen_unix_abstract(address, 1);
    }
    return {};
  } catch (const StartupError&) {
    const auto holder = find_holder(address);
    if (!holder || !holder->is_pycgid) throw;
    return in_use_note(address, *holder);
  }
}

bool is_at(const BoundSocket& socket, const Address& address) {
  return socket_key(socket.address()) == socket_key(address);
}

}  // namespace

BoundSocket::BoundSocket(pyhost::UniqueFd fd, const Address& address)
    : fd_(std::move(fd)), address_(address) {
  struct stat status {};
  if (address.kind != Address::Kind::unix_path) return;
  if (::lstat(address.path.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

BoundSocket::~BoundSocket() {
  if (fd_ && inode_ != 0 && !has_lost_path()) ::unlink(address_.path.c_str());
}

// The inode's number stays taken as long as the socket lives.
bool BoundSocket::has_lost_path() const {
  if (inode_ == 0) return false;
  struct stat status {};
  if (::lstat(address_.path.c_str(), &status) != 0) return true;
  return status.st_dev != device_ || status.st_ino != inode_;
}

void BoundSocket::set_backlog(int backlog) const {
  ::listen(fd_.get(), backlog);
}

// spawn-fcgi and mod_fcgid hand the socket over as descriptor 0.
std::vector<Address> addresses_of(const PoolSettings& pool) {
  if (!pool.addresses.empty()) return pool.addresses;
  if (!is_listening_stream(STDIN_FILENO)) {
    fail_start(ExitStatus::usage,
               "no socket to listen on: descriptor 0 is not a listening socket; give option "
               "\"fastcgi\" or \"scgi\", for instance --fastcgi unix:/run/pycgid.sock");
  }
  Address address;
  address.kind = Address::Kind::inherited_fd;
  address.fd = STDIN_FILENO;
  address.text = "fd:0";
  return {address};
}

Binding bind_addresses(const std::vector<Address>& addresses, const PoolSettings& pool,
                       const std::list<BoundSocket>& held, int backlog) {
  Binding done;
  for (const Address& address : addresses) {
    const auto is_held = [&](const BoundSocket& socket) { return is_at(socket, address); };
    if (std::ranges::any_of(held, is_held)) continue;
    try {
      done.sockets.emplace_back(listen_on(address, pool, backlog), address);
    } catch (const StartupError& error) {
      if (!done.failure) done.failure = error;
    }
  }
  return done;
}

std::list<BoundSocket> bind_pool(const PoolSettings& pool, const std::list<BoundSocket>& held,
                                 int backlog) {
  Binding done = bind_addresses(addresses_of(pool), pool, held, backlog);
  if (done.failure) throw *done.failure;
  return std::move(done.sockets);
}

BoundSocket bind_again(const Address& address, const PoolSettings& pool, int backlog) {
  return {listen_unix_path(address, pool, backlog), address};
}

BoundSocket* find_socket(std::list<BoundSocket>& sockets, const Address& address) {
  const auto found = std::ranges::find_if(
      sockets, [&](const BoundSocket& socket) { return is_at(socket, address); });
  return found == sockets.end() ? nullptr : &*found;
}

std::list<BoundSocket> take_sockets(std::list<BoundSocket>& from,
                                    const std::vector<Address>& addresses) {
  std::list<BoundSocket> taken;
  for (auto socket = from.begin(); socket != from.end();) {
    const auto at = socket++;
    const auto is_there = [at](const Address& address) { return is_at(*at, address); };
    if (std::ranges::any_of(addresses, is_there)) taken.splice(taken.end(), from, at);
  }
  return taken;
}

void check_sockets(const PoolSettings& pool, std::vector<std::string>& notes) {
  for (const Address& address : pool.addresses) {
    for (std::string note : {try_address(address, pool), address.kind == Address::Kind::unix_path
                                                             ? unreachable_text(address, pool)
                                                             : std::string()}) {
      if (!note.empty()) notes.push_back(std::move(note));
    }
  }
}

void note_usable_backlog(int wanted) {
  std::istringstream file(read_file("/proc/sys/net/core/somaxconn").text);
  int most = wanted;
  if (!(file >> most) || wanted <= most) return;
  log_notice(concat("backlog ", wanted, " is more than net.core.somaxconn allows, using ", most));
}

}  // namespace pycgid
