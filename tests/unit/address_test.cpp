// Listening addresses as they are written.
#include "daemon/address.h"

#include "tests/unit/catch.h"

#include <string>
#include <string_view>

namespace {

using namespace pycgid;

std::string refusal(std::string_view text) {
  Address address;
  return parse_address(text, Protocol::fastcgi, address);
}

Address parsed(std::string_view text) {
  Address address;
  CHECK(parse_address(text, Protocol::scgi, address) == "");
  CHECK(address.text == text);
  CHECK(address.protocol == Protocol::scgi);
  return address;
}

TEST_CASE("address: Unix sockets", "[address]") {
  const Address path = parsed("unix:/run/blog.sock");
  CHECK(path.kind == Address::Kind::unix_path);
  CHECK(path.path == "/run/blog.sock");
  const Address abstract = parsed("unix:@blog");
  CHECK(abstract.kind == Address::Kind::unix_abstract);
  CHECK(abstract.path == "blog");
}

TEST_CASE("address: a path that no Unix socket can have is refused", "[address]") {
  CHECK(refusal("unix:blog.sock") != "");
  CHECK(refusal("unix:") != "");
  CHECK(refusal("unix:@") != "");
  CHECK(refusal("unix:/run/") != "");
  CHECK(refusal("unix:/" + std::string(kMaxSocketPath - 1, 'x')) == "");
  CHECK(refusal("unix:/" + std::string(kMaxSocketPath, 'x')) == "the path is longer than 96 bytes");
}

TEST_CASE("address: host and port", "[address]") {
  const Address v4 = parsed("127.0.0.1:9000");
  CHECK(v4.kind == Address::Kind::tcp);
  CHECK(v4.host == "127.0.0.1");
  CHECK(v4.port == 9000);
  CHECK(parsed("localhost:1").host == "localhost");
  CHECK(parsed("*:65535").host == "*");
  CHECK(parsed("[::1]:9000").host == "::1");
}

TEST_CASE("address: a host that is no address is refused", "[address]") {
  CHECK(refusal("example.org:9000") != "");
  CHECK(refusal("::1:9000") == "an IPv6 address stands in brackets: [V6]:PORT");
  CHECK(refusal("[127.0.0.1]:9000") == "\"127.0.0.1\" is no IPv6 address");
  CHECK(refusal(":9000") != "");
  CHECK(refusal("9000") != "");
  CHECK(refusal("") != "");
}

TEST_CASE("address: a port is between 1 and 65535", "[address]") {
  for (std::string_view text : {"127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:x"}) {
    CHECK(refusal(text) == "the port must be between 1 and 65535");
  }
}

TEST_CASE("address: inherited descriptors", "[address]") {
  const Address address = parsed("fd:3");
  CHECK(address.kind == Address::Kind::inherited_fd);
  CHECK(address.fd == 3);
  CHECK(parsed("fd:0").fd == 0);
  CHECK(refusal("fd:1") != "");
  CHECK(refusal("fd:2") != "");
  CHECK(refusal("fd:-1") != "");
  CHECK(refusal("fd:") != "");
}

TEST_CASE("address: sockets of the service manager", "[address]") {
  CHECK(parsed("systemd").kind == Address::Kind::systemd);
  CHECK(parsed("systemd").name == "");
  CHECK(parsed("systemd:blog").name == "blog");
  CHECK(refusal("systemd:") == "the name of the descriptors is missing");
  CHECK(refusal("systemd:a:b") != "");
  CHECK(refusal("systemdx") != "");
}

TEST_CASE("address: TLS stands before a port", "[address]") {
  for (std::string_view text : {"tls:127.0.0.1:9000", "tls:[::1]:9000", "tls:*:9000"}) {
    CHECK(parsed(text).kind == Address::Kind::tcp);
    CHECK(parsed(text).port == 9000);
    CHECK(parsed(text).tls);
    CHECK(parsed(text).text == text);
  }
  CHECK_FALSE(parsed("127.0.0.1:9000").tls);
  for (std::string_view text : {"tls:unix:/a", "tls:fd:3", "tls:systemd", "tls:tls:127.0.0.1:1"}) {
    CHECK(refusal(text) == "\"tls:\" stands before HOST:PORT only");
  }
  CHECK(refusal("tls:") != "");
}

TEST_CASE("address: one socket in several spellings, or behind a wildcard", "[address]") {
  const auto exclude = [](const std::string& one, const std::string& other) {
    const bool result = exclude_each_other(parsed(one), parsed(other));
    CHECK(result == exclude_each_other(parsed(other), parsed(one)));
    return result;
  };
  CHECK(exclude("localhost:9000", "127.0.0.1:9000"));
  CHECK(exclude("[::1]:9000", "tls:[0:0:0:0:0:0:0:1]:9000"));
  CHECK(exclude("unix:/a//b/./c", "unix:/a/b/c"));
  CHECK(exclude("*:9000", "127.0.0.1:9000"));
  CHECK(exclude("*:9000", "[::1]:9000"));
  CHECK(exclude("0.0.0.0:9000", "localhost:9000"));
  CHECK(exclude("[::]:9000", "[::1]:9000"));
  CHECK_FALSE(exclude("[::]:9000", "127.0.0.1:9000"));
  CHECK_FALSE(exclude("[::]:9000", "0.0.0.0:9000"));
  CHECK_FALSE(exclude("*:9000", "127.0.0.1:9001"));
  CHECK_FALSE(exclude("127.0.0.1:9000", "127.0.0.2:9000"));
  CHECK_FALSE(exclude("unix:/a/../b", "unix:/b"));
  CHECK_FALSE(exclude("unix:@a//b", "unix:@a/b"));
}

}  // namespace
