// Socket activation, see activation.h.
#include "daemon/master/activation.h"

#include "daemon/option_values.h"
#include "daemon/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <iterator>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr std::uint64_t kMost = 4096;

// One pool's address, on its way to descriptors.
struct Claim {
  std::string_view pool;
  Address* address;
  std::vector<int> fds;
};

class Assignment {
 public:
  explicit Assignment(const InheritedSockets& sockets)
      : sockets_(sockets), taken_(sockets.names.size()) {}

  void take(int fd) {
    if (fd >= kFirst && fd - kFirst < std::ssize(taken_)) taken_[index(fd)] = true;
  }
  // All that are left, of a name unless that is empty.
  std::vector<int> take_all(std::string_view name) {
    std::vector<int> found;
    for (std::size_t i = 0; i < taken_.size(); ++i) {
      if (taken_[i] || (!name.empty() && sockets_.names[i] != name)) continue;
      taken_[i] = true;
      found.push_back(kFirst + static_cast<int>(i));
    }
    return found;
  }

  std::string why_none(const Claim& claim) const {
    if (!sockets_.missing.empty()) return sockets_.missing;
    const std::string& name = claim.address->name;
    const std::string what = name.empty() ? "other addresses have all of the descriptors"
                                          : "there is no descriptor of that name";
    std::string known;
    for (const std::string& each : sockets_.names) {
      known += concat(known.empty() ? "" : ", ", in_quotes(each));
    }
    return concat(what, "; there are ", known, " (FileDescriptorName= of the socket unit)");
  }

 private:
  static std::size_t index(int fd) { return static_cast<std::size_t>(fd - kFirst); }

  const InheritedSockets& sockets_;
  std::vector<bool> taken_;
};

// The replacement of an address: one for each descriptor.
std::vector<Address> resolved(const Claim& claim, const Assignment& assignment) {
  std::vector<Address> addresses;
  for (int fd : claim.fds) addresses.emplace_back(*claim.address).fd = fd;
  if (addresses.empty()) {
    addresses.emplace_back(*claim.address).missing = assignment.why_none(claim);
  }
  return addresses;
}

// In the order in which they may choose.
void choose(std::vector<Claim>& claims, Assignment& assignment) {
  for (Claim& claim : claims) {
    if (!claim.address->name.empty()) claim.fds = assignment.take_all(claim.address->name);
  }
  for (Claim& claim : claims) {
    if (claim.address->name.empty()) claim.fds = assignment.take_all(claim.pool);
  }
  for (Claim& claim : claims) {
    if (claim.address->name.empty() && claim.fds.empty()) claim.fds = assignment.take_all({});
  }
}

InheritedSockets read_environment() {
  InheritedSockets sockets = parse_listen_variables(
      std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"), std::getenv("LISTEN_FDNAMES"));
  for (int fd = kFirst; fd < kFirst + std::ssize(sockets.names); ++fd) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return sockets;
}

}  // namespace

InheritedSockets parse_listen_variables(const char* pid, const char* count, const char* names) {
  InheritedSockets sockets;
  if (pid == nullptr || count == nullptr) {
    sockets.missing = "no sockets were passed (LISTEN_FDS is not set)";
    return sockets;
  }
  if (parse_number(pid) != static_cast<std::uint64_t>(::getpid())) {
    sockets.missing = concat("the sockets that were passed are those of process ", pid,
                             " (LISTEN_PID); nothing may stand between it and the service manager");
    return sockets;
  }
  const auto number = parse_number(count);
  if (!number || *number == 0 || *number > kMost) {
    sockets.missing = concat("no sockets were passed (LISTEN_FDS is ", in_quotes(count), ")");
    return sockets;
  }
  std::string_view rest = names == nullptr ? "" : names;
  for (std::uint64_t i = 0; i < *number; ++i) {
    const std::string_view name = rest.substr(0, rest.find(':'));
    sockets.names.emplace_back(name.empty() ? "unknown" : name);
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
  }
  return sockets;
}

const InheritedSockets& inherited_sockets() {
  static const InheritedSockets sockets = read_environment();
  return sockets;
}

void assign_sockets(const InheritedSockets& sockets, Settings& settings) {
  Assignment assignment(sockets);
  std::vector<Claim> claims;
  for (PoolSettings& pool : settings.pools) {
    for (Address& address : pool.addresses) {
      if (address.kind == Address::Kind::inherited_fd) assignment.take(address.fd);
      if (address.kind == Address::Kind::systemd) claims.push_back({pool.name, &address, {}});
    }
  }
  if (claims.empty()) return;
  choose(claims, assignment);
  auto claim = claims.cbegin();
  for (PoolSettings& pool : settings.pools) {
    std::vector<Address> addresses;
    for (const Address& address : pool.addresses) {
      if (address.kind == Address::Kind::systemd) {
        std::ranges::move(resolved(*claim++, assignment), std::back_inserter(addresses));
      } else {
        addresses.push_back(address);
      }
    }
    pool.addresses = std::move(addresses);
  }
}

}  // namespace pycgid
