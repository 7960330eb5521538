// From argv to Settings, see command_line.h. The only file that knows Boost.Program_options.
#include "daemon/command_line.h"

#include "daemon/option_table.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <boost/program_options/cmdline.hpp>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>

#include <algorithm>
#include <set>
#include <thread>
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

void apply(Settings& settings, const OptionRow& row, std::string_view value) {
  if (row.set == nullptr) {
    fail_start(ExitStatus::usage,
               concat("option ", in_quotes(row.name), " is not built yet in this version"));
  }
  const std::string wrong = row.set(settings, value, row);
  if (!wrong.empty()) {
    fail_start(ExitStatus::usage, concat("bad value ", in_quotes(value), " for option ",
                                         in_quotes(row.name), ": ", wrong));
  }
}

void apply_all(Settings& settings, const std::vector<po::option>& options) {
  std::set<std::string> seen;
  for (const po::option& option : options) {
    const OptionRow* row = find_option(option.string_key);
    if (row == nullptr) continue;
    if (!seen.insert(option.string_key).second && !row->repeatable) {
      usage_error(concat("option ", in_quotes(row->name), " is given twice"));
    }
    apply(settings, *row, option.value.empty() ? "" : option.value.front());
  }
}

std::ptrdiff_t count(const std::vector<po::option>& options, std::string_view name) {
  return std::ranges::count(options, name, &po::option::string_key);
}

CommandLine::Action choose_action(const std::vector<po::option>& options) {
  if (count(options, "help") > 0) return CommandLine::Action::help;
  if (count(options, "version") > 0) return CommandLine::Action::version;
  if (count(options, "-t") > 1) {
    fail_start(ExitStatus::usage, "option \"-tt\" is not built yet in this version");
  }
  return count(options, "-t") > 0 ? CommandLine::Action::check : CommandLine::Action::run;
}

void check_together(const std::vector<po::option>& options, const PoolSettings& pool) {
  if (count(options, "config") > 0) {
    fail_start(ExitStatus::usage,
               "configuration files are not built yet in this version (option \"config\"); give "
               "the options and APP on the command line");
  }
  if (pool.app.empty()) {
    usage_error(
        "no application given: configuration files are not built yet in this version, name APP on "
        "the command line");
  }
  if (!pool.venv.empty() && count(options, "python") > 0) {
    usage_error("options \"python\" and \"venv\" exclude each other");
  }
}

Settings default_settings() {
  Settings settings;
  settings.pools.emplace_back();
  settings.pools.back().processes = std::max(1U, std::thread::hardware_concurrency());
  return settings;
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

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  const std::vector<po::option> options = split_arguments(arguments);
  CommandLine command{choose_action(options), default_settings()};
  if (command.action == CommandLine::Action::help ||
      command.action == CommandLine::Action::version) {
    return command;
  }
  apply_all(command.settings, options);
  PoolSettings& pool = command.settings.pools.back();
  check_together(options, pool);
  pool.name = pool_name(pool.app);
  return command;
}

std::string help_text() {
  std::string text =
      "Usage: pycgid [options] APP\n"
      "       pycgid -t [options] APP\n"
      "       pycgid -V | --version | -h | --help\n"
      "\n"
      "Serves the WSGI application APP, module:callable or the path of a .py or .wsgi\n"
      "file, to web servers that speak FastCGI or SCGI. Sizes take K, M, G; times take\n"
      "ms, s, m, h, d; a flag takes =no. Defaults stand in parentheses.\n\n";
  text += help_entry("-t", "check options, users, sockets and the application, and exit");
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
  return text + "\nSee pycgid(8).\n";
}

std::string pool_name(const std::string& app) {
  const std::size_t slash = app.rfind('/');
  const std::string file = slash == std::string::npos ? app : app.substr(slash + 1);
  const std::string name = file.substr(0, file.find_first_of(".:"));
  return name.empty() ? "app" : name;
}

}  // namespace pycgid
