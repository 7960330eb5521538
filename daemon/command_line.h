// From argv to Settings, by the option table. Throws StartupError with status 64.
#pragma once

#include "daemon/settings.h"

#include <string>
#include <vector>

namespace pycgid {

struct CommandLine {
  enum class Action { run, check, version, help };
  Action action = Action::run;
  Settings settings;  // one pool, named after its application
};

// `arguments` without the program's name.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

// What --help prints.
std::string help_text();

// "blog" for "blog.wsgi:application" and "/srv/blog.py".
std::string pool_name(const std::string& app);

}  // namespace pycgid
