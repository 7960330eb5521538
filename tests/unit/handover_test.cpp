// What the master hands to a running gateway, and which options differ between two configurations.
#include "daemon/handover.h"

#include "daemon/config_file.h"
#include "daemon/text_file.h"
#include "tests/unit/catch.h"

#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace pycgid;

const std::string kPool = "[blog]\napp = blog.wsgi\nfastcgi = unix:/run/blog.sock\n";

Configuration read(const std::string& text) {
  Configuration configuration = parse_config_text(text, "f.conf");
  complete(configuration);
  return configuration;
}

std::vector<std::string_view> changed(const std::string& before, const std::string& after) {
  const Configuration one = read(kPool + before);
  const Configuration other = read(kPool + after);
  return changed_options(one.pools.at(0), other.pools.at(0));
}

TEST_CASE("handover: a pool arrives as it was", "[config]") {
  const Configuration configuration =
      read(kPool + "env = A=1\nenv = B=x = y\nthreads = 7\nwarmup = /a\naccess-log = stderr\n");
  PoolSettings got;
  REQUIRE(read_pool_settings(pool_settings_file(configuration.pools.at(0)), got));
  CHECK(got == make_settings(configuration).pools.at(0));
}

TEST_CASE("handover: global options arrive as they were", "[config]") {
  const Configuration configuration =
      read("allow-peer = ::1\nmax-connections = 7\nlog-level = debug\n" + kPool);
  Settings got;
  got.libexec_dir = "/usr/lib/pycgid";
  REQUIRE(read_global_settings(global_settings_file(configuration.global), got));
  Settings expected = make_settings(configuration);
  expected.pools.clear();
  expected.libexec_dir = "/usr/lib/pycgid";
  CHECK(got == expected);
}

TEST_CASE("handover: a text may be long", "[config]") {
  const std::string text(100'000, 'x');
  const pyhost::UniqueFd file = make_text_file(text);
  CHECK(read_text_file(file) == text);
  CHECK(read_text_file(file) == text);
  CHECK_FALSE(read_text_file(pyhost::UniqueFd()));
}

TEST_CASE("handover: a listener's name is read back", "[config]") {
  const std::string name = listener_name(Protocol::scgi, "unix:/run/a b.sock");
  CHECK(name == "scgi unix:/run/a b.sock");
  CHECK(parse_listener_name(name) == std::pair(Protocol::scgi, std::string("unix:/run/a b.sock")));
  CHECK(parse_listener_name("").second.empty());
}

TEST_CASE("changed options: names in the order of the table", "[config]") {
  using Names = std::vector<std::string_view>;
  CHECK(changed("env = A=1\n", "threads = 2\n") == Names{"env", "threads"});
  CHECK(changed("env = A=1\nenv = B=2\n", "env = A=1\n") == Names{"env"});
  CHECK(changed("env = A=1\n", "env = A=1\n").empty());
}

TEST_CASE("changed options: the default is as good as given", "[config]") {
  CHECK(changed("", "threads = 4\n").empty());
  CHECK(changed("threads = 4\n", "threads = 5\n") == std::vector<std::string_view>{"threads"});
}

}  // namespace
