#include "daemon/config_file.h"

#include "daemon/config_line.h"
#include "daemon/read_file.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <glob.h>
#include <memory>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

// Some editors put it before the text; it says that this is UTF-8.
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

[[noreturn]] void refuse(const std::string& where, const std::string& text) {
  fail_start(ExitStatus::configuration, concat(text, " (", where, ")"));
}

// Of a line, for a message: enough of it to be found.
std::string_view shortened(std::string_view line) {
  constexpr std::size_t kEnough = 80;
  const std::size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  line.remove_prefix(begin);
  return line.substr(0, std::min(line.find_last_not_of(" \t\r") + 1, kEnough));
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
  void read(std::string_view text, const std::string& name) {
    file_ = name;
    section_ = nullptr;
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    for (unsigned number = 1; !text.empty(); ++number) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      read_line(line, concat(name, ":", number));
    }
  }

  void include(const std::string& pattern, const std::string& where) {
    including_ = where;
    for (const std::string& path : matches(pattern, where)) {
      read(read_named(path, concat("option \"include\", ", where)), path);
    }
  }

  void read_line(std::string_view text, const std::string& where) {
    ConfigLine line = read_config_line(text);
    switch (line.kind) {
      case ConfigLine::Kind::blank:
        return;
      case ConfigLine::Kind::head:
        return begin_pool(std::move(line.name), where);
      case ConfigLine::Kind::option:
        return read_option(std::move(line), where);
      case ConfigLine::Kind::wrong:
        refuse(where, concat("cannot read ", in_quotes(shortened(text)), ": ", line.problem));
    }
  }

  void read_option(ConfigLine line, const std::string& where) {
    if (!line.warning.empty()) {
      configuration_.warnings.push_back(
          concat("option ", in_quotes(line.name), ": ", line.warning, " (", where, ")"));
    }
    if (line.name == "include") return note_include(line.value, where);
    const OptionRow* row = find_option(line.name);
    if (row == nullptr) refuse_unknown(line.name, where);
    check_scope(*row, where);
    ConfigSection& section = section_ == nullptr ? configuration_.global : *section_;
    section.options.push_back({row, std::move(line.value), where});
  }

  void begin_pool(std::string name, const std::string& where) {
    configuration_.pools.push_back({std::move(name), where, {}});
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
  }
  complete(configuration);
  return configuration;
}

}  // namespace pycgid
