// Listening Unix sockets, see unix_socket.h.
#include "daemon/master/unix_socket.h"

#include "daemon/address.h"
#include "daemon/master/bind_error.h"
#include "daemon/master/path_problem.h"
#include "daemon/master/privileges.h"
#include "daemon/master/unix_name.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace pycgid {
namespace {

// "." and the digits of a pid.
constexpr std::size_t kSuffixRoom = 8;
static_assert(kMaxSocketPath + kSuffixRoom < sizeof(sockaddr_un::sun_path));

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

// Without a directory that is there and open to us, the system's reason says too little.
[[noreturn]] void cannot_bind_path(const Address& address, int error) {
  const std::string directory = directory_of(address.path);
  const std::optional<PathProblem> problem = problem_with(directory, W_OK | X_OK);
  if (!problem) cannot_bind(address, reason(error));
  if (problem->error == ENOENT) {
    cannot_bind(address, problem->text, concat("create the directory ", in_quotes(directory)));
  }
  cannot_bind(address, problem->text);
}

// A connect that is refused tells that nobody listens any more.
bool is_stale(const Address& address) {
  const pyhost::UniqueFd fd = new_unix_socket(address);
  const UnixName name = unix_path_name(address.path);
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
    const Credentials credentials = resolve_credentials(pool.user, pool.group, pool.places);
    owner = {credentials.user, credentials.group};
  }
  if (!pool.socket_user.empty()) owner.user = user_id(pool.socket_user, "socket-user", pool.places);
  if (!pool.socket_group.empty()) {
    owner.group = group_id(pool.socket_group, "socket-group", pool.places);
  }
  return owner;
}

// Nobody may connect before owner and permissions are right.
bool bind_without_rights(const pyhost::UniqueFd& fd, const std::string& path) {
  const mode_t before = ::umask(0777);
  const bool bound = bind_to(fd, unix_path_name(path));
  ::umask(before);
  return bound;
}

// The socket under its temporary name; removes it again unless it was renamed.
class TemporaryName {
 public:
  explicit TemporaryName(const std::string& path) : base_(path) {}
  ~TemporaryName() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;

  const std::string& path() const { return path_; }

  // As process 1 of a container each start has the same number, and what a start that was killed
  // has left under it is not in the way of the next. False with errno set.
  bool bind(const pyhost::UniqueFd& fd, Address address) {
    constexpr int kMostNames = 64;
    for (int number = 0; number < kMostNames; ++number) {
      address.path = concat(base_, ".", (getpid() + number) % kPastLongest);
      bool bound = bind_without_rights(fd, address.path);
      if (!bound && errno == EADDRINUSE && is_leftover(address)) {
        ::unlink(address.path.c_str());
        bound = bind_without_rights(fd, address.path);
      }
      if (bound) path_ = address.path;
      if (bound || errno != EADDRINUSE) return bound;
    }
    return false;
  }
  bool rename_to(const std::string& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0) return false;
    path_.clear();
    return true;
  }

 private:
  // A socket that nobody listens on.
  static bool is_leftover(const Address& address) {
    struct stat status {};
    return ::lstat(address.path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) &&
           is_stale(address);
  }

  static constexpr int kPastLongest = 10'000'000;  // see kSuffixRoom
  std::string base_;
  std::string path_;
};

// The new socket itself, whatever stands at its path by then: in a directory that others can write
// to, it could be swapped for a link to a file that is none of theirs.
pyhost::UniqueFd grip(const std::string& path) {
  pyhost::UniqueFd fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (fd && ::fstat(fd.get(), &status) == 0 && S_ISSOCK(status.st_mode) &&
      status.st_uid == geteuid() && (status.st_mode & 0777) == 0) {
    return fd;
  }
  return {};
}

bool set_owner(const pyhost::UniqueFd& file, const Owner& owner) {
  return ::fchownat(file.get(), "", owner.user, owner.group, AT_EMPTY_PATH) == 0;
}

[[noreturn]] void cannot_give_away(const Address& address, int error) {
  cannot_bind(address, concat("cannot give it to another user or group: ", reason(error)),
              "see options \"socket-user\" and \"socket-group\"");
}

// Whether a file may be given away does not depend on its place.
void try_owner(const Address& address, const Owner& owner) {
  const pyhost::UniqueFd file(::memfd_create("pycgid-owner", MFD_CLOEXEC));
  if (file && !set_owner(file, owner)) cannot_give_away(address, errno);
}

bool set_mode(const pyhost::UniqueFd& file, mode_t mode) {
  // fchmodat2(2), from Linux 6.6 on; /proc, where it is mounted, does for older ones.
  constexpr long kFchmodat2 = 452;
  if (::syscall(kFchmodat2, file.get(), "", mode, AT_EMPTY_PATH) == 0) return true;
  return ::chmod(concat("/proc/self/fd/", file.get()).c_str(), mode) == 0;
}

[[noreturn]] void refuse_live_socket(const Address& address) {
  const std::optional<SocketHolder> holder = find_holder(address);
  cannot_bind(address, reason(EADDRINUSE),
              concat(holder ? holder->text : "another process", " answers there"));
}

}  // namespace

pyhost::UniqueFd listen_unix_path(const Address& address, const PoolSettings& pool, int backlog) {
  if (occupant_of(address) == Occupant::live_socket) {
    refuse_live_socket(address);
  }
  const Owner owner = owner_of(pool);
  pyhost::UniqueFd fd = new_unix_socket(address);
  TemporaryName temporary(address.path);
  if (!temporary.bind(fd, address)) cannot_bind_path(address, errno);
  const pyhost::UniqueFd file = grip(temporary.path());
  if (!file) cannot_bind(address, "somebody replaced the new socket meanwhile");
  if (!set_owner(file, owner)) cannot_give_away(address, errno);
  if (!set_mode(file, pool.socket_mode) || ::listen(fd.get(), backlog) != 0 ||
      !temporary.rename_to(address.path)) {
    cannot_bind_path(address, errno);
  }
  return fd;
}

pyhost::UniqueFd listen_unix_abstract(const Address& address, int backlog) {
  pyhost::UniqueFd fd = new_unix_socket(address);
  const bool bound = bind_to(fd, unix_abstract_name(address.path));
  if (!bound && errno == EADDRINUSE) refuse_live_socket(address);
  if (!bound || ::listen(fd.get(), backlog) != 0) {
    cannot_bind(address, reason(errno));
  }
  return fd;
}

void change_socket_rights(const Address& address, const PoolSettings& pool) {
  constexpr mode_t kPermissions = 0777;
  Owner owner = owner_of(pool);
  // What was given before and is not any more.
  if (owner.user == static_cast<uid_t>(-1)) owner.user = geteuid();
  if (owner.group == static_cast<gid_t>(-1)) owner.group = getegid();
  const pyhost::UniqueFd file(::open(address.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat now {};
  bool done = file && ::fstat(file.get(), &now) == 0;
  if (done && !S_ISSOCK(now.st_mode)) {
    errno = ENOENT;
    done = false;
  }
  if (done && (now.st_uid != owner.user || now.st_gid != owner.group)) {
    // Nobody may have rights meanwhile that neither the old nor the new ones give.
    done = set_mode(file, now.st_mode & pool.socket_mode & kPermissions) && set_owner(file, owner);
  }
  if (!done || !set_mode(file, pool.socket_mode)) {
    fail_start(ExitStatus::system,
               concat("cannot change owner and permissions of ", address.text, ": ", reason(errno),
                      " (options \"socket-mode\", \"socket-user\", \"socket-group\")"));
  }
}

std::string check_socket_path(const Address& address, const PoolSettings& pool) {
  const std::string directory = directory_of(address.path);
  if (problem_with(directory, W_OK | X_OK)) cannot_bind_path(address, EACCES);
  try_owner(address, owner_of(pool));
  if (occupant_of(address) != Occupant::live_socket) return {};
  const std::optional<SocketHolder> holder = find_holder(address);
  if (holder && holder->is_pycgid) return in_use_note(address, *holder);
  refuse_live_socket(address);
}

}  // namespace pycgid
