// The command line: actions, positions and the one line of a wrong usage.
#include "daemon/command_line.h"

#include "daemon/option_table.h"
#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <string>
#include <vector>

namespace {

using namespace pycgid;

Settings settings_of(const std::vector<std::string>& arguments) {
  return make_settings(load_configuration(parse_command_line(arguments).source));
}

// The message of a usage error; "" when the arguments are accepted.
std::string refusal(const std::vector<std::string>& arguments) {
  try {
    settings_of(arguments);
    return {};
  } catch (const StartupError& error) {
    CHECK(error.status == ExitStatus::usage);
    return error.text;
  }
}

TEST_CASE("command line: options and application in any order", "[options]") {
  const std::vector<std::string> arguments{"--threads", "2", "blog.wsgi", "--scgi=[::1]:4000",
                                           "--processes=3"};
  CHECK(parse_command_line(arguments).action == CommandLine::Action::run);
  const Settings settings = settings_of(arguments);
  const PoolSettings& pool = settings.pools.at(0);
  CHECK(pool.app == "blog.wsgi");
  CHECK(pool.name == "blog");
  CHECK(pool.threads == 2);
  CHECK(pool.processes_max == 3);
  REQUIRE(pool.addresses.size() == 1);
  CHECK(pool.addresses[0].protocol == Protocol::scgi);
}

TEST_CASE("command line: a bare flag does not take the application", "[options]") {
  const Settings settings = settings_of({"--clear-env", "blog"});
  CHECK(settings.pools[0].clear_env);
  CHECK(settings.pools[0].app == "blog");
}

TEST_CASE("command line: a flag can be switched off", "[options]") {
  CHECK_FALSE(settings_of({"--request-buffering=no", "x"}).pools[0].request_buffering);
  CHECK(refusal({"--allow-root=maybe", "x"}) ==
        "bad value \"maybe\" for option \"allow-root\": must be yes or no");
}

TEST_CASE("command line: a flag takes its value behind = only", "[options]") {
  CHECK(refusal({"--request-buffering", "no", "x"})
            .starts_with("option \"request-buffering\" takes a value behind \"=\" only: "
                         "--request-buffering=no"));
  CHECK(refusal({"x", "--clear-env", "yes"}).find("--clear-env=yes") != std::string::npos);
  CHECK(refusal({"--clear-env", "--threads", "1", "x"}) == "");
}

TEST_CASE("command line: a repeatable option adds up", "[options]") {
  const Settings settings =
      settings_of({"--env", "A=1", "--env", "B=2", "--pythonpath", "/x", "app"});
  CHECK(settings.pools[0].env == std::vector<std::string>{"A=1", "B=2"});
}

TEST_CASE("command line: actions", "[options]") {
  CHECK(parse_command_line({"-t", "x"}).action == CommandLine::Action::check);
  CHECK(parse_command_line({"-tt", "x"}).action == CommandLine::Action::check_and_show);
  CHECK(parse_command_line({"-V"}).action == CommandLine::Action::version);
  CHECK(parse_command_line({"--version"}).action == CommandLine::Action::version);
  CHECK(parse_command_line({"-h"}).action == CommandLine::Action::help);
  CHECK(parse_command_line({"--help"}).action == CommandLine::Action::help);
}

TEST_CASE("command line: an unknown option is named, with its neighbour", "[options]") {
  CHECK(refusal({"--thread", "4", "x"}) ==
        "unknown option \"--thread\"; did you mean \"--threads\"?");
  CHECK(refusal({"--frobnicate", "x"}) == "unknown option \"--frobnicate\"");
}

TEST_CASE("command line: an option of the contract that is not built is refused", "[options]") {
  for (const OptionRow& row : option_rows()) {
    if (row.set != nullptr) continue;
    std::vector<std::string> arguments{"--" + std::string(row.name)};
    if (!row.placeholder.empty()) arguments.emplace_back("1");
    arguments.emplace_back("app");
    CHECK(refusal(arguments) ==
          "option \"" + std::string(row.name) + "\" is not built yet in this version");
  }
}

TEST_CASE("command line: the user is the gateway's and the workers'", "[options]") {
  const Settings settings = settings_of({"--user", "www-data", "x"});
  CHECK(settings.user == "www-data");
  CHECK(settings.pools[0].user == "www-data");
}

TEST_CASE("command line: a file stands in an application's place", "[options]") {
  const ConfigSource source =
      parse_command_line({"--config", "/etc/x", "--log-level", "debug", "--user=me"}).source;
  CHECK(source.file == "/etc/x");
  CHECK(source.given.pools.empty());
  REQUIRE(source.given.global.options.size() == 2);
  CHECK(source.given.global.options[0].value == "debug");
  CHECK(refusal({"--config", "/etc/x", "app"})
            .starts_with("option \"config\" and an application exclude each other"));
  CHECK(refusal({"--config", "/etc/x", "--config", "/etc/y"})
            .starts_with("option \"config\" is given twice"));
  CHECK(refusal({"--config", "/etc/x", "--threads=2"})
            .starts_with("option \"threads\" belongs to a pool; write it into \"/etc/x\""));
}

TEST_CASE("command line: without an application and a file nothing can start", "[options]") {
  CHECK(refusal({}).starts_with("no application given"));
}

TEST_CASE("command line: what stands there twice is refused", "[options]") {
  CHECK(refusal({"--threads=1", "--threads=2", "x"})
            .starts_with("option \"threads\" is given twice"));
  CHECK(refusal({"x", "y"}).starts_with("more than one application: \"x\" and \"y\"; name one"));
  CHECK(refusal({"--python=p", "--venv=v", "x"}).starts_with("options \"python\" and \"venv\""));
}

TEST_CASE("command line: a missing value is told", "[options]") {
  CHECK(refusal({"x", "--threads"}).starts_with("option \"threads\" needs a value"));
}

TEST_CASE("command line: help shows what is built and nothing else", "[options]") {
  const std::string help = help_text();
  for (const OptionRow& row : option_rows()) {
    INFO(row.name);
    const bool shown = help.find("\n  --" + std::string(row.name) + " ") != std::string::npos ||
                       help.find("\n  --" + std::string(row.name) + "\n") != std::string::npos;
    CHECK(shown == (row.set != nullptr));
  }
}

TEST_CASE("command line: a pool is named after its application", "[options]") {
  CHECK(pool_name("blog.wsgi:application") == "blog");
  CHECK(pool_name("hello") == "hello");
  CHECK(pool_name("/srv/blog/site.py:app") == "site");
  CHECK(pool_name("./app.wsgi") == "app");
  CHECK(pool_name("blog:create_app('/a/b.c:d')") == "blog");
  CHECK(pool_name("/srv/old (1)/blog.py:create_app()") == "blog");
  CHECK(pool_name("/srv/a:b(c)/blog.py") == "blog");
}

}  // namespace
