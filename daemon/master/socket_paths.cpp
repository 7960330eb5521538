#include "daemon/master/socket_paths.h"

#include "daemon/master/bind_error.h"
#include "daemon/master/control_server.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <map>
#include <string>
#include <sys/stat.h>
#include <tuple>

namespace pycgid {
namespace {

struct Named {
  Address address;
  std::string owner;  // `pool "blog"`
};

// The directory, whatever leads to it, and the name in it.
using RealPath = std::tuple<dev_t, ino_t, std::string>;

class Paths {
 public:
  void add(const Address& address, std::string owner) {
    if (address.kind != Address::Kind::unix_path) return;
    const std::size_t slash = address.path.rfind('/');
    struct stat directory {};
    // What is not there is told of by those who bind.
    if (::stat(address.path.substr(0, slash + 1).c_str(), &directory) != 0) return;
    RealPath path{directory.st_dev, directory.st_ino, address.path.substr(slash + 1)};
    const auto [found, is_new] =
        known_.try_emplace(std::move(path), Named{address, std::move(owner)});
    if (!is_new) refuse(address, found->second);
  }

 private:
  [[noreturn]] static void refuse(const Address& second, const Named& first) {
    fail_start(ExitStatus::configuration,
               concat("address ", in_quotes(second.text), " is that of ", first.owner,
                      " already: it leads to ", in_quotes(first.address.text), " ",
                      option_of(first.address), " by another path ", option_of(second),
                      "; each socket needs an address of its own"));
  }

  std::map<RealPath, Named> known_;
};

}  // namespace

void refuse_shared_paths(const Settings& settings) {
  Paths paths;
  for (const PoolSettings& pool : settings.pools) {
    for (const Address& address : pool.addresses) {
      paths.add(address, concat("pool ", in_quotes(pool.name)));
    }
  }
  if (!settings.control.empty()) paths.add(control_address(settings), "pycgidctl");
}

}  // namespace pycgid
