#include "daemon/master/socket_paths.h"

#include "daemon/log.h"
#include "daemon/master/bind_error.h"
#include "daemon/master/control_server.h"
#include "daemon/start_directory.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <map>
#include <string>
#include <sys/stat.h>
#include <tuple>
#include <utility>

namespace pycgid {
namespace {

enum class Kind { socket, log, pid_file };

struct Named {
  Kind kind{};
  std::string text;   // as it was written
  std::string owner;  // `pool "blog"`
  std::string place;  // `(option "fastcgi", pycgid.conf:3)`
};

// The directory, whatever leads to it, and the name in it.
using RealPath = std::tuple<dev_t, ino_t, std::string>;

[[noreturn]] void refuse(const Named& second, const Named& first) {
  const std::string_view what = second.kind == Kind::socket ? "address " : "path ";
  const std::string already = second.text == first.text
                                  ? concat(" already ", first.place)
                                  : concat(" already: it leads to ", in_quotes(first.text), " ",
                                           first.place, " by another path");
  fail_start(ExitStatus::configuration,
             concat(what, in_quotes(second.text), " is that of ", first.owner, already, " ",
                    second.place, "; each needs ",
                    second.kind == Kind::socket ? "an address" : "a path", " of its own"));
}

class Paths {
 public:
  explicit Paths(const std::string& start) : start_(start) {}

  void add(const std::string& written, Named named) {
    if (written.empty()) return;
    const std::string path = absolute_path(start_, written);
    const std::size_t slash = path.rfind('/');
    struct stat directory {};
    // What is not there is told of by those who bind or open.
    if (::stat(path.substr(0, slash + 1).c_str(), &directory) != 0) return;
    RealPath real{directory.st_dev, directory.st_ino, path.substr(slash + 1)};
    const auto [found, is_new] = known_.try_emplace(std::move(real), named);
    const Named& first = found->second;
    if (!is_new && (named.kind != Kind::log || first.kind != Kind::log)) refuse(named, first);
  }
  void add_socket(const Address& address, std::string owner) {
    if (address.kind != Address::Kind::unix_path) return;
    add(address.path, {Kind::socket, address.text, std::move(owner), option_of(address)});
  }
  void add_log(const std::string& where, std::string owner, std::string place) {
    if (names_file(where)) add(where, {Kind::log, where, std::move(owner), std::move(place)});
  }

 private:
  const std::string& start_;
  std::map<RealPath, Named> known_;
};

}  // namespace

void refuse_shared_paths(const Settings& settings) {
  Paths paths(settings.start_dir);
  for (const PoolSettings& pool : settings.pools) {
    const std::string owner = concat("pool ", in_quotes(pool.name));
    for (const Address& address : pool.addresses) paths.add_socket(address, owner);
    paths.add_log(pool.access_log, owner, pool.places.text("access-log"));
    paths.add_log(pool.slow_log, owner, pool.places.text("slow-log"));
  }
  if (!settings.control.empty()) paths.add_socket(control_address(settings), "pycgidctl");
  paths.add_log(settings.log, "the log", settings.places.text("log"));
  paths.add(settings.pidfile,
            {Kind::pid_file, settings.pidfile, "the pid file", settings.places.text("pidfile")});
}

}  // namespace pycgid
