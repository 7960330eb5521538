// The command line of pycgidctl(8), see command.h.
#include "daemon/ctl/command.h"

#include "daemon/control_protocol.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <boost/program_options/variables_map.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace pycgid::ctl {
namespace {

namespace po = boost::program_options;

struct CommandRow {
  std::string_view name;
  Command::Action action;
  std::string_view arguments;
  std::string_view help;
};

constexpr std::array kCommands{
    CommandRow{"status", Command::Action::status, "[--json | --openmetrics]",
               "show the figures of all pools and their workers"},
    CommandRow{"reload", Command::Action::reload, "[POOL]",
               "load POOL, or everything, anew; wait for the outcome"},
    CommandRow{"stop", Command::Action::stop, "",
               "finish what was accepted and end; wait for the end"},
    CommandRow{"reopen-logs", Command::Action::reopen_logs, "", "open the log files anew"},
    CommandRow{"ping", Command::Action::ping, "", "print \"pong\" if master and gateway answer"}};

[[noreturn]] void usage_error(const std::string& text) {
  fail_start(ExitStatus::usage, concat(text, "; see pycgidctl --help"));
}

po::variables_map split_arguments(const std::vector<std::string>& arguments) {
  namespace style = po::command_line_style;
  po::options_description description;
  description.add_options()("help,h", "")("version,V", "")("json", "")("openmetrics", "")(
      "control", po::value<std::string>()->default_value(std::string(kDefaultControlPath)), "")(
      "word", po::value<std::vector<std::string>>(), "");
  po::positional_options_description positional;
  positional.add("word", -1);
  po::variables_map found;
  try {
    po::store(po::command_line_parser(arguments)
                  .options(description)
                  .positional(positional)
                  .style(style::unix_style & ~style::allow_guessing)
                  .run(),
              found);
  } catch (const po::error& error) {
    usage_error(error.what());
  }
  return found;
}

std::string form_of(const po::variables_map& options, const CommandRow& row) {
  const bool json = options.count("json") > 0;
  const bool openmetrics = options.count("openmetrics") > 0;
  if (json && openmetrics) usage_error("--json and --openmetrics exclude each other");
  if (row.action != Command::Action::status) {
    if (json || openmetrics) usage_error("--json and --openmetrics belong to status");
    return {};
  }
  return json ? "json" : openmetrics ? "openmetrics" : "table";
}

}  // namespace

Command parse_command(const std::vector<std::string>& arguments) {
  const po::variables_map options = split_arguments(arguments);
  if (options.count("help") > 0) return {Command::Action::help, {}, {}};
  if (options.count("version") > 0) return {Command::Action::version, {}, {}};
  if (options.count("word") == 0) usage_error("no command given");
  const auto& words = options["word"].as<std::vector<std::string>>();
  const auto row = std::ranges::find(kCommands, words.front(), &CommandRow::name);
  if (row == kCommands.end()) usage_error(concat("unknown command ", in_quotes(words.front())));
  Command command{row->action, options["control"].as<std::string>(), form_of(options, *row)};
  const bool takes_pool = row->action == Command::Action::reload;
  if (words.size() > (takes_pool ? 2U : 1U)) {
    usage_error(concat("unexpected argument ", in_quotes(words.back())));
  }
  if (words.size() == 2) command.argument = words.back();
  if (command.argument.find('\n') != std::string::npos) usage_error("a name is one line");
  return command;
}

std::string help_text() {
  constexpr std::size_t kColumn = 28;
  std::string text =
      "Usage: pycgidctl [--control PATH] COMMAND\n"
      "\n"
      "Talks to a running pycgid(8), on the socket of its option \"control\".\n"
      "\n"
      "Commands:\n";
  for (const CommandRow& row : kCommands) {
    std::string line = concat("  ", row.name, row.arguments.empty() ? "" : " ", row.arguments);
    if (line.size() + 2 > kColumn) line += "\n" + std::string(kColumn, ' ');
    line.resize(std::max(line.size(), kColumn), ' ');
    text += concat(line, row.help, "\n");
  }
  return concat(text,
                "\nOptions:\n"
                "  --control PATH            the socket (",
                kDefaultControlPath,
                ")\n"
                "  --json                    status as one JSON object\n"
                "  --openmetrics             status for Prometheus, in the format OpenMetrics\n"
                "  -V, --version             print the version\n"
                "  -h, --help                print this text\n"
                "\nSee pycgidctl(8).\n");
}

}  // namespace pycgid::ctl
