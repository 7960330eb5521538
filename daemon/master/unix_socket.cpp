// Listening Unix sockets, see unix_socket.h.
#include "daemon/master/unix_socket.h"

#include "daemon/address.h"
#include "daemon/master/bind_error.h"
#include "daemon/master/privileges.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace pycgid {
namespace {

// "." and the digits of a pid.
constexpr std::size_t kSuffixRoom = 8;
static_assert(kMaxSocketPath + kSuffixRoom < sizeof(sockaddr_un::sun_path));

struct UnixName {
  sockaddr_un address{};
  socklen_t length = 0;
};

UnixName path_name(const std::string& path) {
  UnixName name;
  name.address.sun_family = AF_UNIX;
  std::ranges::copy(path, name.address.sun_path);
  name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return name;
}

UnixName abstract_name(const std::string& text) {
  UnixName name;
  name.address.sun_family = AF_UNIX;
  std::ranges::copy(text, name.address.sun_path + 1);
  name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return name;
}

pyhost::UniqueFd new_unix_socket(const Address& address) {
  pyhost::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) cannot_bind(address, reason(errno));
  return fd;
}

bool bind_to(const pyhost::UniqueFd& fd, const UnixName& name) {
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name.address), name.length) == 0;
}

std::string directory_of(const std::string& path) {
  return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

[[noreturn]] void cannot_bind_path(const Address& address, int error) {
  const std::string directory = in_quotes(directory_of(address.path));
  std::string advice;
  if (error == ENOENT) advice = concat("create the directory ", directory);
  if (error == EACCES || error == EROFS) {
    advice = concat("the directory must be writable by user ", in_quotes(user_name(geteuid())));
  }
  cannot_bind(address, reason(error), advice);
}

// A connect that is refused tells that nobody listens any more.
bool is_stale(const Address& address) {
  const pyhost::UniqueFd fd = new_unix_socket(address);
  const UnixName name = path_name(address.path);
  const auto* where = reinterpret_cast<const sockaddr*>(&name.address);
  return ::connect(fd.get(), where, name.length) != 0 && errno == ECONNREFUSED;
}

enum class Occupant { nobody, stale_socket, live_socket };

Occupant occupant_of(const Address& address) {
  struct stat status {};
  if (::lstat(address.path.c_str(), &status) != 0) {
    if (errno == ENOENT) return Occupant::nobody;
    cannot_bind_path(address, errno);
  }
  if (!S_ISSOCK(status.st_mode)) {
    cannot_bind(address, "the path exists and is not a socket", "remove it or choose another path");
  }
  return is_stale(address) ? Occupant::stale_socket : Occupant::live_socket;
}

struct Owner {
  uid_t user = static_cast<uid_t>(-1);
  gid_t group = static_cast<gid_t>(-1);
};

// The front server's user wants in; without options the pool's own user and group own the socket.
Owner owner_of(const PoolSettings& pool) {
  Owner owner;
  if (!pool.user.empty() || !pool.group.empty()) {
    const Credentials credentials = resolve_credentials(pool.user, pool.group);
    owner = {credentials.user, credentials.group};
  }
  if (!pool.socket_user.empty()) owner.user = user_id(pool.socket_user, "socket-user");
  if (!pool.socket_group.empty()) owner.group = group_id(pool.socket_group, "socket-group");
  return owner;
}

// The socket under its temporary name; removes it again unless it was renamed.
class TemporaryName {
 public:
  explicit TemporaryName(const std::string& path) : path_(concat(path, ".", getpid())) {}
  ~TemporaryName() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;

  const std::string& path() const { return path_; }
  bool rename_to(const std::string& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0) return false;
    path_.clear();
    return true;
  }

 private:
  std::string path_;
};

// Nobody may connect before owner and permissions are right.
bool bind_without_rights(const pyhost::UniqueFd& fd, const std::string& path) {
  const mode_t before = ::umask(0777);
  const bool bound = bind_to(fd, path_name(path));
  ::umask(before);
  return bound;
}

}  // namespace

pyhost::UniqueFd listen_unix_path(const Address& address, const PoolSettings& pool, int backlog) {
  if (occupant_of(address) == Occupant::live_socket) {
    cannot_bind(address, reason(EADDRINUSE), "another process answers there");
  }
  const Owner owner = owner_of(pool);
  pyhost::UniqueFd fd = new_unix_socket(address);
  TemporaryName temporary(address.path);
  if (!bind_without_rights(fd, temporary.path())) cannot_bind_path(address, errno);
  if (::lchown(temporary.path().c_str(), owner.user, owner.group) != 0) {
    cannot_bind(address, concat("cannot give it to another user or group: ", reason(errno)),
                "see options \"socket-user\" and \"socket-group\"");
  }
  if (::chmod(temporary.path().c_str(), pool.socket_mode) != 0 ||
      ::listen(fd.get(), backlog) != 0 || !temporary.rename_to(address.path)) {
    cannot_bind_path(address, errno);
  }
  return fd;
}

pyhost::UniqueFd listen_unix_abstract(const Address& address, int backlog) {
  pyhost::UniqueFd fd = new_unix_socket(address);
  if (!bind_to(fd, abstract_name(address.path)) || ::listen(fd.get(), backlog) != 0) {
    cannot_bind(address, reason(errno));
  }
  return fd;
}

void change_socket_rights(const Address& address, const PoolSettings& pool) {
  constexpr mode_t kPermissions = 0777;
  const char* path = address.path.c_str();
  Owner owner = owner_of(pool);
  // What was given before and is not any more.
  if (owner.user == static_cast<uid_t>(-1)) owner.user = geteuid();
  if (owner.group == static_cast<gid_t>(-1)) owner.group = getegid();
  struct stat now {};
  bool done = ::lstat(path, &now) == 0 && S_ISSOCK(now.st_mode);
  if (!done) errno = ENOENT;
  if (done && (now.st_uid != owner.user || now.st_gid != owner.group)) {
    // Nobody may have rights meanwhile that neither the old nor the new ones give.
    done = ::chmod(path, now.st_mode & pool.socket_mode & kPermissions) == 0 &&
           ::lchown(path, owner.user, owner.group) == 0;
  }
  if (!done || ::chmod(path, pool.socket_mode) != 0) {
    fail_start(ExitStatus::system,
               concat("cannot change owner and permissions of ", address.text, ": ", reason(errno),
                      " (options \"socket-mode\", \"socket-user\", \"socket-group\")"));
  }
}

void check_socket_path(const Address& address, const PoolSettings& pool) {
  const std::string directory = directory_of(address.path);
  if (::access(directory.c_str(), W_OK | X_OK) != 0) cannot_bind_path(address, errno);
  static_cast<void>(occupant_of(address));
  static_cast<void>(owner_of(pool));
}

}  // namespace pycgid
