// From argv to where the configuration comes from, by the option table. Throws StartupError with
// status 64.
#pragma once

#include "daemon/config_file.h"

#include <string>
#include <vector>

namespace pycgid {

struct CommandLine {
  enum class Action { run, check, check_and_show, version, help };
  Action action = Action::run;
  // With the application on the command line: one pool, named after it.
  ConfigSource source;
};

// `arguments` without the program's name.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

// What --help prints.
std::string help_text();

// "blog" for "blog.wsgi:application" and "/srv/blog.py".
std::string pool_name(const std::string& app);

}  // namespace pycgid
