// pycgid.conf(5): what is read, how it is written again, and the words for what is wrong.
#include "daemon/config_file.h"

#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace pycgid;
namespace fs = std::filesystem;

const std::string kPool = "[blog]\napp = blog.wsgi\nfastcgi = unix:/run/blog.sock\n";

Configuration read(const std::string& text) {
  Configuration configuration = parse_config_text(text, "x.conf");
  complete(configuration);
  return configuration;
}

Settings settings_of(const std::string& text) {
  return make_settings(read(text));
}

// The message about a wrong file; "" when it is accepted.
std::string refusal(const std::string& text) {
  try {
    settings_of(text);
    return {};
  } catch (const StartupError& error) {
    CHECK(error.status == ExitStatus::configuration);
    return error.text;
  }
}

// A directory of files, removed at the end.
class Files {
 public:
  Files() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Files() { fs::remove_all(path_); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  std::string add(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }

 private:
  fs::path path_;
};

TEST_CASE("config file: options before the first pool are global", "[config]") {
  const Settings settings = settings_of(
      "# a comment\n"
      "user = www-data\n"
      "  max-connections=50   # another\n"
      "\n"
      "[blog]\n"
      "app = blog.wsgi\n"
      "scgi = 127.0.0.1:4000\n"
      "threads = 8\r\n"
      "[ shop ]\n"
      "app = shop\n"
      "user = shop\n"
      "fastcgi = unix:/run/shop.sock\n"
      "fastcgi = unix:@shop\n");
  CHECK(settings.user == "www-data");
  CHECK(settings.max_connections == 50);
  REQUIRE(settings.pools.size() == 2);
  CHECK(settings.pools[0].name == "blog");
  CHECK(settings.pools[0].threads == 8);
  CHECK(settings.pools[0].user == "www-data");
  CHECK(settings.pools[1].name == "shop");
  CHECK(settings.pools[1].user == "shop");
  CHECK(settings.pools[1].addresses.size() == 2);
}

TEST_CASE("config file: a group of its own keeps a pool from the global user", "[config]") {
  const Settings settings =
      settings_of("user = www-data\ngroup = web\n" + kPool + "group = blog\n");
  CHECK(settings.pools[0].user == "");
  CHECK(settings.pools[0].group == "blog");
}

TEST_CASE("config file: errors name file, line and remedy", "[config]") {
  CHECK(refusal("thread = 4\n") ==
        "unknown option \"thread\"; did you mean \"threads\"? (x.conf:1)");
  CHECK(refusal("frobnicate = 4\n") == "unknown option \"frobnicate\" (x.conf:1)");
  CHECK(refusal(kPool + "threads = many\n") ==
        "bad value \"many\" for option \"threads\": must be between 1 and 1000 (x.conf:4)");
  CHECK(refusal(kPool + "threads = 1\nthreads = 2\n") ==
        "option \"threads\" is given twice (x.conf:5)");
  CHECK(refusal("\nthreads = 4\n") ==
        "option \"threads\" belongs to a pool; move it below a line [NAME] (x.conf:2)");
  CHECK(refusal(kPool + "backlog = 4\n") ==
        "option \"backlog\" is global, not a pool's; move it before the first line [NAME] "
        "(x.conf:4)");
  CHECK(refusal(kPool + "clear-env\n") ==
        "cannot read \"clear-env\": write NAME = VALUE (x.conf:4)");
  CHECK(refusal(kPool + "interpreters = 2\n") ==
        "option \"interpreters\" is not built yet in this version (x.conf:4)");
  CHECK(refusal(kPool + "include = *.conf\n").starts_with("option \"include\" is global"));
}

TEST_CASE("config file: TLS has an address, a certificate and a key, or nothing of that",
          "[config]") {
  const std::string tls = "[blog]\napp = x\nfastcgi = tls:127.0.0.1:4000\n";
  CHECK(refusal(tls + "tls-key = /k\n") ==
        "address \"tls:127.0.0.1:4000\" needs options \"tls-certificate\" and \"tls-key\"; name "
        "the file for \"tls-certificate\" (x.conf:3)");
  CHECK(refusal(tls + "tls-certificate = /c\n").ends_with("for \"tls-key\" (x.conf:3)"));
  CHECK(refusal(kPool + "tls-client-ca = /c\n") ==
        "option \"tls-client-ca\" needs an address that speaks TLS; write \"tls:\" before its "
        "HOST:PORT (x.conf:4)");
  const PoolSettings pool = settings_of(tls + "tls-certificate = /c\ntls-key = /k\n").pools[0];
  CHECK(pool.addresses[0].tls);
  CHECK(pool.tls_certificate.path == "/c");
  CHECK(pool.tls_key.where == "x.conf:5");
}

TEST_CASE("config file: where a certificate is named makes no other pool of it", "[config]") {
  const std::string tls = "[blog]\napp = x\nfastcgi = tls:[::1]:4000\ntls-key = /k\n";
  const std::string certificate = "tls-certificate = /c\n";
  CHECK(settings_of(tls + certificate) == settings_of(tls + "\n\n" + certificate));
  CHECK(settings_of(tls + certificate) != settings_of(tls + "tls-certificate = /d\n"));
}

TEST_CASE("config file: heads of pools", "[config]") {
  for (const char* head : {"[blog", "[]", "[ ]", "[a/b]", "[a]b]", "[a] b"}) {
    CHECK(
        refusal(std::string("\n") + head + "\n").starts_with(std::string("cannot read \"") + head));
  }
}

TEST_CASE("config file: a pool is complete and no other's double", "[config]") {
  CHECK(refusal("[blog]\nscgi = 127.0.0.1:4000\n") ==
        "pool \"blog\" has no application; give it option \"app\" (x.conf:1)");
  CHECK(refusal("[blog]\napp = x\n") ==
        "pool \"blog\" has no socket; give it option \"fastcgi\" or \"scgi\", for instance "
        "fastcgi = unix:/run/pycgid/blog.sock (x.conf:1)");
  CHECK(refusal(kPool + "[blog]\napp = x\nscgi = 127.0.0.1:1\n") ==
        "pool \"blog\" was described before, at x.conf:1; give one of them another name "
        "(x.conf:4)");
  CHECK(refusal(kPool + "[shop]\napp = x\nscgi = unix:/run/blog.sock\n") ==
        "address \"unix:/run/blog.sock\" is that of pool \"blog\" already (x.conf:3); each socket "
        "needs an address of its own (x.conf:6)");
  CHECK(refusal(kPool + "venv = /v\npython = p\n")
            .starts_with("options \"python\" and \"venv\" exclude each other"));
}

TEST_CASE("config file: included files hold pools and are read in order", "[config]") {
  const Files files;
  files.add("pools.d/b.conf", "[b]\napp = b\nscgi = 127.0.0.1:2\n");
  files.add("pools.d/a.conf", "[a]\napp = a\nscgi = 127.0.0.1:1\n");
  const std::string path = files.add("main.conf", "include = pools.d/*.conf\n" + kPool);
  const Configuration configuration = read_config_file(path);
  REQUIRE(configuration.pools.size() == 3);
  CHECK(configuration.pools[0].name == "blog");
  CHECK(configuration.pools[1].name == "a");
  CHECK(configuration.pools[2].name == "b");
  CHECK(configuration.pools[2].where.ends_with("/pools.d/b.conf:1"));
}

TEST_CASE("config file: an included file has nothing global", "[config]") {
  const Files files;
  const std::string included = files.add("pool.conf", "log-level = debug\n");
  const std::string path = files.add("main.conf", "\ninclude = " + included + "\n");
  CHECK_THROWS_AS(read_config_file(path), StartupError);
  files.add("pool.conf", "include = other.conf\n");
  CHECK_THROWS_AS(read_config_file(path), StartupError);
}

TEST_CASE("config file: what is to be included and is not there", "[config]") {
  const Files files;
  const std::string none = files.add("none.conf", "include = none.d/*.conf\n");
  CHECK(read_config_file(none).pools.empty());
  CHECK_THROWS_AS(read_config_file(files.add("one.conf", "include = gone.conf\n")), StartupError);
  CHECK(load_configuration({none, {}}).pools.empty());
  CHECK_THROWS_AS(read_config_file("/no/such/file"), StartupError);
  CHECK_THROWS_AS(read_config_file(files.add("d/x", "") + "/.."), StartupError);
}

TEST_CASE("config file: the command line has the last word on what is global", "[config]") {
  const Files files;
  ConfigSource source{files.add("main.conf", "log-level = info\nallow-peer = ::1\n" + kPool), {}};
  source.given.global.options = {{find_option("log-level"), "debug"},
                                 {find_option("allow-peer"), "10.0.0.1"},
                                 {find_option("allow-peer"), "10.0.0.2"}};
  const Settings settings = make_settings(load_configuration(source));
  CHECK(settings.log_level == LogLevel::debug);
  CHECK(settings.allow_peer == std::vector<std::string>{"10.0.0.1", "10.0.0.2"});
}

TEST_CASE("config file: what is printed reads back as the same settings", "[config]") {
  const Configuration configuration = read(
      "user = www-data\nbacklog = 7\nallow-peer = ::1\nallow-peer = 10.0.0.0/8\n" + kPool +
      "env = A=1\nenv = B=x = y\nvenv = /srv/venv\nmount = /blog\nmax-body = 3G\n"
      "queue-timeout = 250ms\numask = 027\n[shop]\napp = shop\nscgi = [::1]:4000\nuser = shop\n");
  const std::string text = configuration_text(configuration.global, configuration.pools);
  INFO(text);
  CHECK(settings_of(text) == make_settings(configuration));
  CHECK(text.find("\nsend-timeout = 60s\n") != std::string::npos);
  CHECK(text.find("\npython = ") > text.find("[shop]"));
}

TEST_CASE("config file: what needs quotes is printed in quotes", "[config]") {
  for (const char* value : {"A=a#b", "A= #b ", "A=\"b\"", "A=\t", "A=a\\"}) {
    Configuration configuration = read(kPool);
    configuration.pools[0].options.push_back({find_option("env"), value});
    const std::string text = configuration_text(configuration.global, configuration.pools);
    INFO(text);
    CHECK(settings_of(text) == make_settings(configuration));
  }
}

TEST_CASE("config file: a value that cannot be read back is not printed", "[config]") {
  Configuration configuration = read(kPool);
  configuration.pools[0].options.push_back({find_option("env"), "A=a\nb"});
  CHECK_THROWS_AS(configuration_text(configuration.global, configuration.pools), StartupError);
  configuration.pools[0].options.pop_back();
  configuration.pools[0].name = "a # b";
  CHECK_THROWS_AS(configuration_text(configuration.global, configuration.pools), StartupError);
}

TEST_CASE("config file: a byte order mark is no part of the first option", "[config]") {
  CHECK(settings_of("\xef\xbb\xbfuser = www-data\n" + kPool).user == "www-data");
  CHECK(refusal("\xff\xfeu\0s\0").find("write NAME = VALUE") != std::string::npos);
}

TEST_CASE("config file: no value and no name holds NUL or control characters", "[config]") {
  using namespace std::string_literals;
  for (const OptionRow& row : option_rows()) {
    if (row.set == nullptr) continue;
    INFO(row.name);
    for (const std::string& value : {"A=/x\0y"s, "\0"s, "A=/x\x1by"s}) {
      Configuration configuration = read(kPool);
      const bool is_global = row.scope == OptionScope::global;
      ConfigSection& section = is_global ? configuration.global : configuration.pools[0];
      std::erase_if(section.options, [&](const GivenOption& old) { return old.row == &row; });
      section.options.push_back({&row, value, "x.conf:9"});
      if (row.name == "env" && value.find('\0') == std::string::npos) {
        CHECK_NOTHROW(make_settings(configuration));
      } else {
        CHECK_THROWS_AS(make_settings(configuration), StartupError);
      }
    }
  }
  CHECK(refusal("[a\x01]\n").find("holds control characters") != std::string::npos);
}

TEST_CASE("config file: lines that look meant otherwise are told with their place", "[config]") {
  const Configuration configuration = read(kPool + "env = A=ab #cd\n");
  REQUIRE(configuration.warnings.size() == 1);
  CHECK(configuration.warnings[0].starts_with("option \"env\": \"#cd\" is a comment"));
  CHECK(configuration.warnings[0].ends_with("(x.conf:4)"));
}

}  // namespace
