// The command line: actions, positions and the one line of a wrong usage.
#include "daemon/command_line.h"

#include "daemon/option_table.h"
#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <string>
#include <vector>

namespace {

using namespace pycgid;

// The message of a usage error; "" when the arguments are accepted.
std::string refusal(const std::vector<std::string>& arguments) {
  try {
    parse_command_line(arguments);
    return {};
  } catch (const StartupError& error) {
    CHECK(error.status == ExitStatus::usage);
    return error.text;
  }
}

TEST_CASE("command line: options and application in any order", "[options]") {
  const CommandLine command =
      parse_command_line({"--threads", "2", "blog.wsgi", "--scgi=[::1]:4000", "--processes=3"});
  const PoolSettings& pool = command.settings.pools.at(0);
  CHECK(command.action == CommandLine::Action::run);
  CHECK(pool.app == "blog.wsgi");
  CHECK(pool.name == "blog");
  CHECK(pool.threads == 2);
  CHECK(pool.processes == 3);
  REQUIRE(pool.addresses.size() == 1);
  CHECK(pool.addresses[0].protocol == Protocol::scgi);
}

TEST_CASE("command line: a bare flag does not take the application", "[options]") {
  const CommandLine command = parse_command_line({"--clear-env", "blog"});
  CHECK(command.settings.pools[0].clear_env);
  CHECK(command.settings.pools[0].app == "blog");
}

TEST_CASE("command line: a flag can be switched off", "[options]") {
  CHECK_FALSE(
      parse_command_line({"--request-buffering=no", "x"}).settings.pools[0].request_buffering);
  CHECK(refusal({"--allow-root=maybe", "x"}) ==
        "bad value \"maybe\" for option \"allow-root\": must be yes or no");
}

TEST_CASE("command line: a repeatable option adds up", "[options]") {
  const CommandLine command =
      parse_command_line({"--env", "A=1", "--env", "B=2", "--pythonpath", "/x", "app"});
  CHECK(command.settings.pools[0].env == std::vector<std::string>{"A=1", "B=2"});
}

TEST_CASE("command line: actions", "[options]") {
  CHECK(parse_command_line({"-t", "x"}).action == CommandLine::Action::check);
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

TEST_CASE("command line: configuration files are refused", "[options]") {
  CHECK(refusal({"--config", "/etc/x"}).starts_with("configuration files are not built yet"));
  CHECK(refusal({}).starts_with("no application given"));
  CHECK(refusal({"-tt", "x"}) == "option \"-tt\" is not built yet in this version");
}

TEST_CASE("command line: what stands there twice is refused", "[options]") {
  CHECK(refusal({"--threads=1", "--threads=2", "x"})
            .starts_with("option \"threads\" is given twice"));
  CHECK(refusal({"x", "y"}).starts_with("option \"app\" is given twice"));
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
}

}  // namespace
