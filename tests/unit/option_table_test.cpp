// The option table: what it accepts, what it refuses and with which words.
#include "daemon/option_table.h"

#include "daemon/option_values.h"
#include "tests/unit/catch.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace pycgid;

Settings one_pool() {
  Settings settings;
  settings.pools.emplace_back();
  return settings;
}

// What the row of option `name` says about `value`.
std::string set(Settings& settings, std::string_view name, std::string_view value) {
  const OptionRow* row = find_option(name);
  REQUIRE(row != nullptr);
  REQUIRE(row->set != nullptr);
  return row->set(settings, value, *row);
}

std::string set(std::string_view name, std::string_view value) {
  Settings settings = one_pool();
  return set(settings, name, value);
}

TEST_CASE("option table: every name stands there once", "[options]") {
  std::set<std::string_view> names;
  for (const OptionRow& row : option_rows()) CHECK(names.insert(row.name).second);
}

TEST_CASE("option table: a built option has a help text, another has none", "[options]") {
  for (const OptionRow& row : option_rows()) {
    INFO(row.name);
    CHECK(row.help.empty() == (row.set == nullptr));
  }
}

TEST_CASE("option table: the default text is the default value", "[options]") {
  for (const OptionRow& row : option_rows()) {
    if (row.set == nullptr || row.default_text.empty()) continue;
    INFO(row.name);
    Settings settings = one_pool();
    CHECK(row.set(settings, row.default_text, row).empty());
    CHECK(settings == one_pool());
  }
}

TEST_CASE("option table: numbers keep to their range", "[options]") {
  CHECK(set("threads", "1") == "");
  CHECK(set("threads", "1000") == "");
  CHECK(set("threads", "0") == "must be between 1 and 1000");
  CHECK(set("threads", "1001") == "must be between 1 and 1000");
  CHECK(set("threads", "-1") == "must be between 1 and 1000");
  CHECK(set("threads", "4x") == "must be between 1 and 1000");
  CHECK(set("threads", "") == "must be between 1 and 1000");
  CHECK(set("threads", "99999999999999999999") == "must be between 1 and 1000");
}

TEST_CASE("option table: a range message uses the unit of the option", "[options]") {
  CHECK(set("max-params", "1") == "must be between 1K and 16M");
  CHECK(set("queue-timeout", "0") == "must be between 1ms and 365d");
}

TEST_CASE("option table: sizes and times name the units that there are", "[options]") {
  CHECK(set("max-body", "512MB") ==
        "must be bytes, or a number with K, M or G behind it, without a blank; did you mean "
        "\"512M\"?");
  CHECK(set("max-body", "1 gib").ends_with("did you mean \"1G\"?"));
  CHECK(set("max-body", "10 bytes").ends_with("did you mean \"10\"?"));
  CHECK(set("max-body", "1T") ==
        "must be bytes, or a number with K, M or G behind it, without a blank");
  CHECK(set("send-timeout", "30 s") ==
        "must be seconds, or a number with ms, s, m, h or d behind it, without a blank; did you "
        "mean \"30s\"?");
  CHECK(set("send-timeout", "5min").ends_with("did you mean \"5m\"?"));
  CHECK(set("send-timeout", "2 Hours").ends_with("did you mean \"2h\"?"));
  CHECK(set("rlimit-core", "512MB") ==
        "must be unlimited, or bytes, or a number with K, M or G behind it, without a blank; did "
        "you mean \"512M\"?");
  CHECK(set("max-body", "17179869184G") == "must be between 0 and 1048576G");
  CHECK(set("max-body", "99999999999999999999").starts_with("must be between"));
  CHECK(set("send-timeout", "99999999999999999d") == "must be between 1ms and 365d");
  CHECK(set("send-timeout", "soon").find("did you mean") == std::string::npos);
}

TEST_CASE("option table: a variable has a name without blanks and quotes", "[options]") {
  for (const char* wrong : {"export A=1", "\"A=1", "A B=1", "'A'=1"}) {
    CHECK(set("env", wrong).ends_with("with a NAME without blanks and quotes"));
  }
  CHECK(set("env", "A.b-C=\"x y\"") == "");
}

TEST_CASE("option table: values arrive in their field", "[options]") {
  Settings settings = one_pool();
  CHECK(set(settings, "max-body", "2G") == "");
  CHECK(set(settings, "send-timeout", "250ms") == "");
  CHECK(set(settings, "backlog", "128") == "");
  CHECK(set(settings, "request-buffering", "no") == "");
  CHECK(set(settings, "umask", "027") == "");
  CHECK(set(settings, "log-level", "debug") == "");
  CHECK(settings.pools[0].max_body == std::uint64_t{2} << 30);
  CHECK(settings.pools[0].send_timeout == Milliseconds(250));
  CHECK(settings.backlog == 128);
  CHECK_FALSE(settings.pools[0].request_buffering);
  CHECK(settings.pools[0].umask == 027U);
  CHECK(settings.log_level == LogLevel::debug);
}

TEST_CASE("option table: a user before the first pool is the gateway's", "[options]") {
  Settings settings;
  CHECK(set(settings, "user", "www-data") == "");
  settings.pools.emplace_back();
  CHECK(set(settings, "user", "blog") == "");
  CHECK(settings.user == "www-data");
  CHECK(settings.pools[0].user == "blog");
}

TEST_CASE("option table: the mount has no slash at its end", "[options]") {
  Settings settings = one_pool();
  CHECK(set(settings, "mount", "/app/") == "");
  CHECK(settings.pools[0].mount == "/app");
  CHECK(set(settings, "mount", "/") == "");
  CHECK(settings.pools[0].mount == "");
  CHECK(set(settings, "mount", "app") == "must begin with \"/\"");
}

TEST_CASE("option table: values that are no such thing are refused", "[options]") {
  CHECK(set("socket-mode", "0888") != "");
  CHECK(set("socket-mode", "01777") != "");
  CHECK(set("clear-env", "maybe") == "must be yes or no");
  CHECK(set("env", "NAME") == "must be NAME=VALUE");
  CHECK(set("env", "=x") == "must be NAME=VALUE");
  CHECK(set("path-info", "split") == "must be join or front");
  CHECK(set("allow-peer", "example.org") != "");
  CHECK(set("log-level", "loud") != "");
  CHECK(set("slow-log", "stderr") == "must be the path of a file");
}

TEST_CASE("option table: a log goes to facilities that there are", "[options]") {
  for (const char* name : {"log", "access-log"}) {
    CHECK(set(name, "syslog") == "");
    CHECK(set(name, "syslog:local7") == "");
    CHECK(set(name, "./syslog:none") == "");
    CHECK(set(name, "syslog:none").starts_with("must name a facility of syslog(3)"));
  }
}

TEST_CASE("option table: a priority may be negative", "[options]") {
  CHECK(set("nice", "-20").empty());
  CHECK(set("nice", "19").empty());
  for (const char* wrong : {"-21", "20", "", "-", "--1", "low"}) {
    CHECK(set("nice", wrong) == "must be between -20 and 19");
  }
}

TEST_CASE("option table: core files may be of any size", "[options]") {
  CHECK(set("rlimit-core", "unlimited").empty());
  CHECK(set("rlimit-core", "0").empty());
  CHECK(set("rlimit-core", "many").starts_with("must be unlimited, or bytes"));
}

TEST_CASE("option table: another root is an absolute path", "[options]") {
  CHECK(set("chroot", "/srv/jail").empty());
  CHECK(set("chroot", "jail") == "must begin with \"/\"");
}

TEST_CASE("option table: what is not built yet is refused by name", "[options]") {
  CHECK(find_option("interpreters")->set == nullptr);
}

TEST_CASE("option table: a number of processes, or a range of it", "[options]") {
  const auto range = [](std::string_view value) {
    Settings settings;
    settings.pools.emplace_back();
    const OptionRow& row = *find_option("processes");
    const std::string wrong = row.set(settings, value, row);
    const PoolSettings& pool = settings.pools.back();
    return wrong.empty() ? std::pair(pool.processes_min, pool.processes_max) : std::pair(99U, 0U);
  };
  CHECK(range("3") == std::pair(3U, 3U));
  CHECK(range("2-8") == std::pair(2U, 8U));
  CHECK(range("0-1") == std::pair(0U, 1U));
  CHECK(range("5-5") == std::pair(5U, 5U));
  CHECK(set("processes", "0") == "must be N or MIN-MAX, N and MAX between 1 and 1024");
  for (const char* wrong : {"0-0", "2-1025", "-3", "3-", "-", "1-2-3", "1 - 2", "a-b", "1025"}) {
    CHECK(set("processes", wrong) == "must be N or MIN-MAX, N and MAX between 1 and 1024");
  }
  CHECK(set("processes", "8-2") == "must be MIN-MAX with a MIN that is not above MAX");
}

TEST_CASE("option table: a mistyped name finds its neighbour", "[options]") {
  CHECK(nearest_option("thread") == "threads");
  CHECK(nearest_option("max_body") == "max-body");
  CHECK(nearest_option("fastgci") == "fastcgi");
  CHECK(nearest_option("frobnicate") == "");
}

TEST_CASE("option table: a name that is not built is not suggested", "[options]") {
  CHECK(nearest_option("interpretres") != "interpreters");
}

TEST_CASE("option values: sizes", "[options]") {
  CHECK(parse_size("0") == 0U);
  CHECK(parse_size("4096") == 4096U);
  CHECK(parse_size("64k") == 65536U);
  CHECK(parse_size("1M") == 1048576U);
  CHECK_FALSE(parse_size("1T"));
  CHECK_FALSE(parse_size("K"));
  CHECK_FALSE(parse_size("1 K"));
  CHECK_FALSE(parse_size("18446744073709551615K"));
}

TEST_CASE("option values: times", "[options]") {
  CHECK(parse_time("30") == 30'000U);
  CHECK(parse_time("1500ms") == 1500U);
  CHECK(parse_time("5m") == 300'000U);
  CHECK(parse_time("1d") == 86'400'000U);
  CHECK_FALSE(parse_time("5min"));
  CHECK_FALSE(parse_time("-5s"));
}

TEST_CASE("option values: a size is written as it is read", "[options]") {
  CHECK(size_text(0) == "0");
  CHECK(size_text(1000) == "1000");
  CHECK(size_text(65536) == "64K");
  CHECK(size_text(std::uint64_t{3} << 30) == "3G");
}

TEST_CASE("option table: warm-up requests have paths", "[options]") {
  CHECK(set("warmup", "ready") == "must begin with \"/\"");
  Settings settings = one_pool();
  CHECK(set(settings, "warmup", "/one?x=1") == "");
  CHECK(set(settings, "warmup", "/two") == "");
  CHECK(settings.pools[0].warmup == std::vector<std::string>{"/one?x=1", "/two"});
}

}  // namespace
