// From argv to a ConfigSource, see command_line.h.
#include "daemon/command_line.h"

#include "daemon/option_table.h"
#include "daemon/option_values.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <boost/program_options/cmdline.hpp>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>

#include <algorithm>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

namespace po = boost::program_options;

[[noreturn]] void usage_error(std::string text) {
  fail_start(ExitStatus::usage, std::move(text) + "; see pycgid --help");
}

po::options_description describe_options() {
  po::options_description description;
  description.add_options()("help,h", "")("version,V", "")(",t", "")("config",
                                                                     po::value<std::string>(), "");
  for (const OptionRow& row : option_rows()) {
    description.add_options()(std::string(row.name).c_str(), po::value<std::string>(), "");
  }
  return description;
}

// `--flag` stands for `--flag=yes`. (Boost's implicit_value would swallow the argument behind it.)
std::pair<std::string, std::string> parse_bare_flag(const std::string& token) {
  const OptionRow* row = token.starts_with("--") ? find_option(token.substr(2)) : nullptr;
  if (row == nullptr || !row->placeholder.empty()) return {};
  return {std::string(row->name), "yes"};
}

// `--flag no`, where "no" would be the application.
void refuse_flag_words(const std::vector<std::string>& arguments) {
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& flag = arguments[i - 1];
    if (parse_bare_flag(flag).first.empty() || !parse_flag(arguments[i])) continue;
    usage_error(concat("option ", in_quotes(flag.substr(2)),
                       " takes a value behind \"=\" only: ", flag, "=", arguments[i]));
  }
}

void refuse_second_application(const std::vector<po::option>& options) {
  const po::option* first = nullptr;
  for (const po::option& option : options) {
    if (option.string_key != "app" || option.value.empty()) continue;
    if (first != nullptr) {
      usage_error(concat("more than one application: ", in_quotes(first->value.front()), " and ",
                         in_quotes(option.value.front()),
                         "; name one, or describe a pool for each in a file (option \"config\")"));
    }
    first = &option;
  }
}

std::string without_dashes(std::string name) {
  name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
  return name.substr(0, name.find('='));
}

[[noreturn]] void refuse_unknown(const std::string& option) {
  const std::string_view nearest = nearest_option(without_dashes(option));
  std::string text = concat("unknown option ", in_quotes(option));
  if (!nearest.empty()) text += concat("; did you mean \"--", nearest, "\"?");
  fail_start(ExitStatus::usage, std::move(text));
}

std::vector<po::option> split_arguments(const std::vector<std::string>& arguments) {
  namespace style = po::command_line_style;
  const po::options_description description = describe_options();
  po::positional_options_description positional;
  positional.add("app", -1);
  try {
    return po::command_line_parser(arguments)
        .options(description)
        .positional(positional)
        .extra_parser(parse_bare_flag)
        .style(style::unix_style & ~style::allow_guessing)
        .run()
        .options;
  } catch (const po::unknown_option& error) {
    refuse_unknown(error.get_option_name());
  } catch (const po::error_with_option_name& error) {
    usage_error(concat("option ", in_quotes(without_dashes(error.get_option_name())),
                       error.get_option_name().find('=') == std::string::npos
                           ? " needs a value"
                           : " does not take this value"));
  }
}

// What the options say: user and group count for the gateway and for the workers.
Configuration configuration_of(const std::vector<po::option>& options) {
  Configuration configuration;
  ConfigSection& pool = configuration.pools.emplace_back();
  for (const po::option& option : options) {
    const OptionRow* row = find_option(option.string_key);
    if (row == nullptr) continue;
    const GivenOption given{row, option.value.empty() ? "" : option.value.front()};
    if (row->scope != OptionScope::pool) configuration.global.options.push_back(given);
    if (row->scope != OptionScope::global) pool.options.push_back(given);
    if (row->name == "app") pool.name = pool_name(given.value);
  }
  return configuration;
}

std::ptrdiff_t count(const std::vector<po::option>& options, std::string_view name) {
  return std::ranges::count(options, name, &po::option::string_key);
}

CommandLine::Action choose_action(const std::vector<po::option>& options) {
  if (count(options, "help") > 0) return CommandLine::Action::help;
  if (count(options, "version") > 0) return CommandLine::Action::version;
  if (count(options, "-t") > 1) return CommandLine::Action::check_and_show;
  return count(options, "-t") > 0 ? CommandLine::Action::check : CommandLine::Action::run;
}

// Empty: the command line names the application.
std::string config_file(const std::vector<po::option>& options, const ConfigSection& pool) {
  const auto given = std::ranges::find(options, "config", &po::option::string_key);
  if (pool.has("app")) {
    if (given == options.end()) return {};
    usage_error("option \"config\" and an application exclude each other");
  }
  if (given != options.end()) return given->value.front();
  if (::access(kDefaultConfigFile.data(), F_OK) == 0) return std::string(kDefaultConfigFile);
  usage_error(concat("no application given, and there is no ", kDefaultConfigFile,
                     "; name APP, or a file with option \"config\""));
}

void refuse_pool_options(const ConfigSection& pool, const std::string& file) {
  for (const GivenOption& option : pool.options) {
    if (option.row->scope == OptionScope::anywhere) continue;
    usage_error(concat("option ", in_quotes(option.row->name), " belongs to a pool; write it into ",
                       in_quotes(file)));
  }
}

// The words of `text` in lines of at most `width` columns.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines{""};
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width)
      lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
    begin = end + 1;
  }
  return lines;
}

std::string help_entry(const std::string& option, const std::string& help) {
  constexpr std::size_t kColumn = 28;
  std::string entry = "  " + option;
  if (entry.size() + 2 > kColumn) entry += '\n' + std::string(kColumn, ' ');
  entry.resize(std::max(entry.size(), kColumn), ' ');
  const std::string indent = '\n' + std::string(kColumn, ' ');
  std::string separator;
  for (const std::string& line : wrap(help, 79 - kColumn)) {
    entry += separator + line;
    separator = indent;
  }
  return entry + '\n';
}

std::string help_entry(const OptionRow& row) {
  std::string option = concat("--", row.name);
  if (!row.placeholder.empty()) option += concat(" ", row.placeholder);
  std::string help(row.help);
  if (row.repeatable) help += "; may be repeated";
  if (!row.default_text.empty()) help += concat(" (", row.default_text, ")");
  return help_entry(option, help);
}

// Without what a factory is called with, which may look like anything.
std::string without_arguments(const std::string& app) {
  const std::size_t bracket = app.find('(');
  const std::size_t colon = app.rfind(':', bracket);
  if (!app.ends_with(')') || bracket == std::string::npos || colon == std::string::npos) return app;
  return app.find('/', colon) > bracket ? app.substr(0, bracket) : app;
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  refuse_flag_words(arguments);
  const std::vector<po::option> options = split_arguments(arguments);
  CommandLine command{choose_action(options), {}};
  if (command.action == CommandLine::Action::help ||
      command.action == CommandLine::Action::version) {
    return command;
  }
  refuse_second_application(options);
  if (count(options, "config") > 1) usage_error("option \"config\" is given twice");
  command.source.given = configuration_of(options);
  std::vector<ConfigSection>& pools = command.source.given.pools;
  command.source.file = config_file(options, pools.front());
  if (!command.source.file.empty()) {
    refuse_pool_options(pools.front(), command.source.file);
    pools.clear();
  }
  return command;
}

std::string help_text() {
  std::string text =
      "Usage: pycgid [options] APP\n"
      "       pycgid [options] [--config FILE]\n"
      "       pycgid -t | -tt [options] [APP | --config FILE]\n"
      "       pycgid -V | --version | -h | --help\n"
      "\n"
      "Serves the WSGI application APP, module:callable or the path of a .py or .wsgi\n"
      "file, to web servers that speak FastCGI or SCGI; or the applications that are\n"
      "described in FILE. Sizes take K, M, G; times take ms, s, m, h, d; a flag takes\n"
      "=no. Defaults stand in parentheses.\n\n";
  text += help_entry("-t",
                     "check options, users, sockets and applications, and exit; -tt also "
                     "prints the configuration in force");
  text += help_entry("--config FILE", concat("read pycgid.conf(5) (", kDefaultConfigFile, ")"));
  text += help_entry("-V, --version", "print the version and the Pythons it was built for");
  text += help_entry("-h, --help", "print this text");
  const OptionRow* previous = nullptr;
  for (const OptionRow& row : option_rows()) {
    if (row.set == nullptr) continue;
    if (previous == nullptr || previous->section != row.section) {
      text += concat("\n", section_title(row.section), ":\n");
    }
    text += help_entry(row);
    previous = &row;
  }
  return text + "\nSee pycgid(8) and pycgid.conf(5).\n";
}

std::string pool_name(const std::string& argument) {
  const std::string app = without_arguments(argument);
  const std::size_t slash = app.rfind('/');
  const std::string file = slash == std::string::npos ? app : app.substr(slash + 1);
  const std::string name = file.substr(0, file.find_first_of(".:"));
  return name.empty() ? "app" : name;
}

}  // namespace pycgid
