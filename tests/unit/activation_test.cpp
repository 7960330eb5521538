// Which sockets of the service manager which address means.
#include "daemon/master/activation.h"

#include "daemon/address.h"
#include "tests/unit/catch.h"

#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace pycgid;

struct Pool {
  std::string name;
  std::vector<std::string> addresses;
};

Settings settings_of(const std::vector<Pool>& pools) {
  Settings settings;
  for (const Pool& pool : pools) {
    settings.pools.emplace_back().name = pool.name;
    for (const std::string& text : pool.addresses) {
      Address& address = settings.pools.back().addresses.emplace_back();
      CHECK(parse_address(text, Protocol::scgi, address) == "");
    }
  }
  return settings;
}

// The descriptors that each address of each pool comes to; -1: none.
using Fds = std::vector<std::vector<int>>;

Fds assigned(std::vector<std::string> names, const std::vector<Pool>& pools) {
  Settings settings = settings_of(pools);
  assign_sockets({std::move(names), {}}, settings);
  Fds fds;
  for (const PoolSettings& pool : settings.pools) {
    std::vector<int>& of_pool = fds.emplace_back();
    for (const Address& address : pool.addresses) of_pool.push_back(address.fd);
  }
  return fds;
}

std::string why_missing(const InheritedSockets& sockets, const std::string& address) {
  Settings settings = settings_of({{"blog", {address}}});
  assign_sockets(sockets, settings);
  return settings.pools.at(0).addresses.at(0).missing;
}

const std::string kMe = std::to_string(::getpid());

TEST_CASE("activation: names come from LISTEN_FDNAMES", "[activation]") {
  using Names = std::vector<std::string>;
  CHECK(parse_listen_variables(kMe.c_str(), "2", "a:b").names == Names{"a", "b"});
  CHECK(parse_listen_variables(kMe.c_str(), "3", "a").names == Names{"a", "unknown", "unknown"});
  CHECK(parse_listen_variables(kMe.c_str(), "1", "a:b").names == Names{"a"});
  CHECK(parse_listen_variables(kMe.c_str(), "1", nullptr).names == Names{"unknown"});
}

TEST_CASE("activation: without sockets it is said why", "[activation]") {
  const auto why = [](const char* pid, const char* count) {
    const InheritedSockets sockets = parse_listen_variables(pid, count, "a");
    CHECK(sockets.names.empty());
    return sockets.missing;
  };
  CHECK(why(nullptr, nullptr).find("LISTEN_FDS is not set") != std::string::npos);
  CHECK(why("1", "1").find("those of process 1 ") != std::string::npos);
  CHECK(why(kMe.c_str(), "0").find("no sockets were passed") != std::string::npos);
  CHECK(why(kMe.c_str(), "-1").find("no sockets were passed") != std::string::npos);
  CHECK(why(kMe.c_str(), "5000").find("no sockets were passed") != std::string::npos);
}

TEST_CASE("activation: an address has all descriptors of its name", "[activation]") {
  CHECK(assigned({"web", "other", "web"}, {{"blog", {"systemd:web"}}}) == Fds{{3, 5}});
}

TEST_CASE("activation: without a name it is that of the pool", "[activation]") {
  CHECK(assigned({"shop", "blog", "blog"}, {{"blog", {"systemd"}}, {"shop", {"systemd"}}}) ==
        Fds{{4, 5}, {3}});
}

TEST_CASE("activation: or else all that no other address has", "[activation]") {
  CHECK(assigned({"a", "b", "c"}, {{"blog", {"systemd"}}, {"shop", {"systemd:b"}}}) ==
        Fds{{3, 5}, {4}});
  CHECK(assigned({"a", "shop"}, {{"blog", {"systemd"}}, {"shop", {"systemd"}}}) == Fds{{3}, {4}});
  CHECK(assigned({"a", "b"}, {{"blog", {"systemd", "fd:3"}}}) == Fds{{4, 3}});
}

TEST_CASE("activation: other addresses stay where they are", "[activation]") {
  CHECK(assigned({"a", "a"}, {{"blog", {"fd:9", "systemd:a", "*:80"}}}) == Fds{{9, 3, 4, -1}});
}

TEST_CASE("activation: an address without descriptors says why", "[activation]") {
  CHECK(why_missing({{}, "no reason"}, "systemd") == "no reason");
  CHECK(why_missing({{"a", "b"}, {}}, "systemd:blog") ==
        "there is no descriptor of that name; there are \"a\", \"b\" "
        "(FileDescriptorName= of the socket unit)");
  CHECK(assigned({"b"}, {{"blog", {"systemd:b"}}, {"shop", {"systemd"}}}) == Fds{{3}, {-1}});
}

}  // namespace
