// Listening sockets: rights, stale and live neighbours, and what is left behind.
#include "daemon/master/bound_socket.h"

#include "daemon/address.h"
#include "daemon/master/unix_socket.h"
#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <list>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace pycgid;
namespace fs = std::filesystem;

// A directory of its own, removed at the end.
class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  long files() const { return std::distance(fs::directory_iterator(path_), {}); }

 private:
  fs::path path_;
};

Settings listening_on(const std::string& address) {
  Settings settings;
  settings.backlog = 16;
  PoolSettings& pool = settings.pools.emplace_back();
  CHECK(parse_address(address, Protocol::fastcgi, pool.addresses.emplace_back()) == "");
  return settings;
}

std::list<BoundSocket> bind_all(const Settings& settings) {
  return bind_pool(settings.pools.at(0), {}, settings.backlog);
}

std::string refusal(const Settings& settings) {
  try {
    bind_all(settings);
    return {};
  } catch (const StartupError& error) {
    CHECK(error.status == ExitStatus::system);
    return error.text;
  }
}

// Empty when nobody takes the connection at once.
pyhost::UniqueFd connected_to(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::ranges::copy(path, name.sun_path);
  pyhost::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) fd.reset();
  return fd;
}

bool answers(const std::string& path) {
  return static_cast<bool>(connected_to(path));
}

TEST_CASE("listener: a Unix socket answers with the permissions asked for", "[master]") {
  const Directory directory;
  const std::string path = directory / "app.sock";
  Settings settings = listening_on("unix:" + path);
  settings.pools[0].socket_mode = 0606;
  const auto sockets = bind_all(settings);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0606);
  CHECK(answers(path));
  CHECK(directory.files() == 1);
}

TEST_CASE("listener: a Unix socket is removed at the end", "[master]") {
  const Directory directory;
  { const auto sockets = bind_all(listening_on("unix:" + (directory / "app.sock"))); }
  CHECK(directory.files() == 0);
}

TEST_CASE("listener: a socket that another has put there is not removed", "[master]") {
  const Directory directory;
  const std::string path = directory / "app.sock";
  {
    const auto sockets = bind_all(listening_on("unix:" + path));
    fs::remove(path);
    std::ofstream(path) << "another's";
  }
  CHECK(fs::exists(path));
}

TEST_CASE("listener: a stale socket is replaced", "[master]") {
  const Directory directory;
  const std::string path = directory / "app.sock";
  auto sockets = bind_all(listening_on("unix:" + path));
  { const pyhost::UniqueFd closed = sockets.front().take_fd(); }
  REQUIRE_FALSE(answers(path));
  const auto again = bind_all(listening_on("unix:" + path));
  CHECK(answers(path));
}

TEST_CASE("listener: a live socket is refused and stays", "[master]") {
  const Directory directory;
  const std::string path = directory / "app.sock";
  const auto sockets = bind_all(listening_on("unix:" + path));
  CHECK(refusal(listening_on("unix:" + path)) ==
        "cannot bind unix:" + path + ": Address already in use (option \"fastcgi\"); process " +
            std::to_string(getpid()) + " (daemon_unit) answers there");
  CHECK(answers(path));
}

TEST_CASE("listener: a live socket whose queue is full is refused", "[master]") {
  const Directory directory;
  const std::string path = directory / "app.sock";
  Settings settings = listening_on("unix:" + path);
  settings.backlog = 1;
  const auto sockets = bind_all(settings);
  std::vector<pyhost::UniqueFd> waiting;
  do {
    waiting.push_back(connected_to(path));
  } while (waiting.back() && waiting.size() < 100);
  REQUIRE_FALSE(waiting.back());
  CHECK(refusal(settings).find("Address already in use") != std::string::npos);
}

TEST_CASE("listener: a file that is no socket is refused and stays", "[master]") {
  const Directory directory;
  const std::string path = directory / "app.sock";
  std::ofstream(path) << "precious";
  CHECK(refusal(listening_on("unix:" + path)) ==
        "cannot bind unix:" + path +
            ": the path exists and is not a socket (option \"fastcgi\"); remove it or choose "
            "another path");
  CHECK(fs::file_size(path) == 8);
}

TEST_CASE("listener: a missing directory is named", "[master]") {
  const Directory directory;
  const std::string path = directory / "none/app.sock";
  CHECK(refusal(listening_on("unix:" + path)) ==
        "cannot bind unix:" + path + ": there is no \"" + (directory / "none") +
            "\" (option \"fastcgi\"); create the directory \"" + (directory / "none") + "\"");
}

TEST_CASE("listener: when one address fails the others leave nothing behind", "[master]") {
  const Directory directory;
  Settings settings = listening_on("unix:" + (directory / "app.sock"));
  parse_address("unix:/nonexistent/app.sock", Protocol::scgi,
                settings.pools[0].addresses.emplace_back());
  CHECK(refusal(settings).find("(option \"scgi\")") != std::string::npos);
  CHECK(directory.files() == 0);
}

TEST_CASE("listener: the abstract name space", "[master]") {
  const std::string name = "unix:@pycgid-test-" + std::to_string(getpid());
  const auto sockets = bind_all(listening_on(name));
  CHECK(refusal(listening_on(name)) ==
        "cannot bind " + name + ": Address already in use (option \"fastcgi\"); process " +
            std::to_string(getpid()) + " (daemon_unit) answers there");
}

TEST_CASE("listener: descriptors are non-blocking and close on exec", "[master]") {
  const Directory directory;
  const auto sockets = bind_all(listening_on("unix:" + (directory / "app.sock")));
  const int fd = sockets.front().fd().get();
  CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("listener: what is held is not bound again", "[master]") {
  const Directory directory;
  Settings settings = listening_on("unix:" + (directory / "old.sock"));
  std::list<BoundSocket> held = bind_all(settings);
  PoolSettings& pool = settings.pools.front();
  parse_address("unix:" + (directory / "new.sock"), Protocol::scgi, pool.addresses.emplace_back());
  const auto more = bind_pool(pool, held, settings.backlog);
  REQUIRE(more.size() == 1);
  CHECK(more.front().address().path == directory / "new.sock");
  Address by_scgi;
  parse_address("unix:" + (directory / "old.sock"), Protocol::scgi, by_scgi);
  CHECK(find_socket(held, by_scgi) == &held.front());
  CHECK(find_socket(held, more.front().address()) == nullptr);
}

TEST_CASE("listener: permissions change in place", "[master]") {
  const Directory directory;
  Settings settings = listening_on("unix:" + (directory / "app.sock"));
  const std::list<BoundSocket> sockets = bind_all(settings);
  settings.pools.front().socket_mode = 0604;
  change_socket_rights(sockets.front().address(), settings.pools.front());
  struct stat status {};
  REQUIRE(::stat((directory / "app.sock").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0604);
  CHECK(connected_to(directory / "app.sock"));
  fs::remove(directory / "app.sock");
  CHECK_THROWS_AS(change_socket_rights(sockets.front().address(), settings.pools.front()),
                  StartupError);
}

TEST_CASE("listener: an inherited socket is taken over", "[master]") {
  const pyhost::UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  REQUIRE(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(sa_family_t)) ==
          0);
  REQUIRE(::listen(listening.get(), 1) == 0);
  const int inherited = ::dup(listening.get());
  const auto sockets = bind_all(listening_on("fd:" + std::to_string(inherited)));
  CHECK(fcntl(inherited, F_GETFD) == -1);
  CHECK((fcntl(sockets.front().fd().get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("listener: an inherited descriptor that does not listen is refused", "[master]") {
  const pyhost::UniqueFd idle(::socket(AF_UNIX, SOCK_STREAM, 0));
  try {
    bind_all(listening_on("fd:" + std::to_string(idle.get())));
    CHECK(false);
  } catch (const StartupError& error) {
    CHECK(error.status == ExitStatus::usage);
  }
}

}  // namespace
