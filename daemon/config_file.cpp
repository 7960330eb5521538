// pycgid.conf(5), see config_file.h. Boost.Program_options reads the lines, one at a time: it tells
// nobody the number of a line.
#include "daemon/config_file.h"

#include "daemon/read_file.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>

#include <algorithm>
#include <cerrno>
#include <glob.h>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

namespace po = boost::program_options;

[[noreturn]] void refuse(const std::string& where, const std::string& text) {
  fail_start(ExitStatus::configuration, concat(text, " (", where, ")"));
}

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  line.remove_prefix(begin);
  return line.substr(0, line.find_last_not_of(" \t\r") + 1);
}

struct NameAndValue {
  std::string name;
  std::string value;
};

NameAndValue split_line(std::string_view line, const std::string& where) {
  std::istringstream stream{std::string(line)};
  try {
    // The table is asked about names below, for the sake of better words.
    const auto parsed = po::parse_config_file(stream, po::options_description(), true);
    const po::option& option = parsed.options.front();
    return {option.string_key, option.value.front()};
  } catch (const po::invalid_syntax&) {
    refuse(where, concat("cannot read ", in_quotes(line), ": write NAME = VALUE"));
  }
}

std::string read_named(const std::string& path, const std::string& place) {
  FileText file = read_file(path);
  if (file.is_read()) return std::move(file.text);
  fail_start(ExitStatus::configuration, concat("cannot read configuration file ", in_quotes(path),
                                               ": ", file.problem, " (", place, ")"));
}

struct GlobDeleter {
  void operator()(glob_t* found) const { globfree(found); }
};

std::vector<std::string> matches(const std::string& pattern, const std::string& where) {
  glob_t found{};
  const std::unique_ptr<glob_t, GlobDeleter> owner(&found);
  const int error = ::glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  const bool is_pattern = pattern.find_first_of("*?[") != std::string::npos;
  const int why = error == GLOB_NOMATCH ? ENOENT : errno;
  if (error != 0 && why == ENOENT && is_pattern) return {};
  if (error != 0) {
    refuse(where, concat("cannot include ", in_quotes(pattern), ": ", reason(why),
                         " (option \"include\")"));
  }
  return {found.gl_pathv, found.gl_pathv + found.gl_pathc};
}

// Reads one file after the other into one Configuration.
class ConfigReader {
 public:
  void read_main(const std::string& text, const std::string& name) {
    read(text, name);
    for (const auto& [pattern, where] : std::exchange(includes_, {})) include(pattern, where);
  }
  Configuration take() { return std::move(configuration_); }

 private:
  void read(const std::string& text, const std::string& name) {
    file_ = name;
    section_ = nullptr;
    std::istringstream lines(text);
    std::string line;
    for (unsigned number = 1; std::getline(lines, line); ++number) {
      const std::string_view content = trimmed(line);
      if (!content.empty()) read_line(content, concat(name, ":", number));
    }
  }

  void include(const std::string& pattern, const std::string& where) {
    including_ = where;
    for (const std::string& path : matches(pattern, where)) {
      read(read_named(path, concat("option \"include\", ", where)), path);
    }
  }

  void read_line(std::string_view line, const std::string& where) {
    if (line.starts_with('[')) return begin_pool(line, where);
    auto [name, value] = split_line(line, where);
    if (name == "include") return note_include(value, where);
    const OptionRow* row = find_option(name);
    if (row == nullptr) refuse_unknown(name, where);
    check_scope(*row, where);
    ConfigSection& section = section_ == nullptr ? configuration_.global : *section_;
    section.options.push_back({row, std::move(value), where});
  }

  void begin_pool(std::string_view line, const std::string& where) {
    const bool closed = line.ends_with(']');
    const std::string_view name = trimmed(line.substr(1, line.size() - (closed ? 2 : 1)));
    if (!closed || name.empty() || name.find_first_of("[]/") != std::string::npos) {
      refuse(where, concat("cannot read ", in_quotes(line),
                           ": write [NAME] with the name of a pool, without brackets and slashes"));
    }
    configuration_.pools.push_back({std::string(name), where, {}});
    section_ = &configuration_.pools.back();
  }

  void note_include(const std::string& pattern, const std::string& where) {
    if (section_ != nullptr) refuse_global("include", where);
    if (!including_.empty()) {
      refuse(where, concat("an included file cannot include others (option \"include\"); do it in "
                           "the file that includes this one, at ",
                           including_));
    }
    const std::string directory = file_.substr(0, file_.rfind('/') + 1);
    includes_.emplace_back(pattern.starts_with('/') ? pattern : directory + pattern, where);
  }

  void check_scope(const OptionRow& row, const std::string& where) const {
    if (section_ != nullptr) {
      if (row.scope == OptionScope::global) refuse_global(row.name, where);
      return;
    }
    if (row.scope == OptionScope::pool) {
      refuse(where, concat("option ", in_quotes(row.name),
                           " belongs to a pool; move it below a line [NAME]"));
    }
    if (!including_.empty()) {
      refuse(where, concat("option ", in_quotes(row.name),
                           " is global and cannot stand in an included file; move it to the file "
                           "that includes this one, at ",
                           including_));
    }
  }

  [[noreturn]] static void refuse_global(std::string_view option, const std::string& where) {
    refuse(where, concat("option ", in_quotes(option),
                         " is global, not a pool's; move it before the first line [NAME]"));
  }

  [[noreturn]] static void refuse_unknown(const std::string& name, const std::string& where) {
    const std::string_view nearest = nearest_option(name);
    std::string text = concat("unknown option ", in_quotes(name));
    if (!nearest.empty()) text += concat("; did you mean ", in_quotes(nearest), "?");
    refuse(where, text);
  }

  Configuration configuration_;
  ConfigSection* section_ = nullptr;  // null: the global one
  std::string file_;
  std::string including_;  // where the file being read is included; empty: it is not
  std::vector<std::pair<std::string, std::string>> includes_;  // pattern, where
};

// The command line has the last word on what is global.
void override_global(Configuration& configuration, const ConfigSection& given) {
  std::vector<GivenOption>& options = configuration.global.options;
  for (const GivenOption& option : given.options) {
    std::erase_if(options, [&](const GivenOption& old) {
      return old.row == option.row && !old.where.empty();
    });
    options.push_back(option);
  }
}

}  // namespace

Configuration read_config_file(const std::string& path) {
  return parse_config_text(read_named(path, "option \"config\""), path);
}

Configuration parse_config_text(const std::string& text, const std::string& name) {
  ConfigReader reader;
  reader.read_main(text, name);
  return reader.take();
}

Configuration load_configuration(const ConfigSource& source) {
  Configuration configuration = source.given;
  if (!source.file.empty()) {
    configuration = read_config_file(source.file);
    override_global(configuration, source.given.global);
    if (configuration.pools.empty()) {
      fail_start(ExitStatus::configuration,
                 concat("no pool is described in ", in_quotes(source.file),
                        "; begin one with a line [NAME]"));
    }
  }
  complete(configuration);
  return configuration;
}

}  // namespace pycgid
