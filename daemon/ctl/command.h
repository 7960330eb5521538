// The command line of pycgidctl(8). Pure.
#pragma once

#include <string>
#include <vector>

namespace pycgid::ctl {

struct Command {
  enum class Action { help, version, ping, status, reload, reopen_logs, stop };
  Action action = Action::help;
  std::string control;   // path of the socket
  std::string argument;  // status: table, json or openmetrics; reload: the pool, empty for all
};

// `arguments` without the program's name. Throws StartupError with ExitStatus::usage.
Command parse_command(const std::vector<std::string>& arguments);

std::string help_text();

}  // namespace pycgid::ctl
