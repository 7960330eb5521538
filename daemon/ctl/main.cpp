// pycgidctl(8): asks a running daemon for its status, or to reload, reopen its logs or end.
#include "daemon/ctl/client.h"
#include "daemon/ctl/command.h"
#include "daemon/log.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid::ctl {
namespace {

constexpr int kFailed = 1;
constexpr int kUnavailable = 69;  // EX_UNAVAILABLE of sysexits(3)
constexpr std::chrono::seconds kPingPatience{5};
constexpr std::chrono::seconds kPatience{10};

// The lines of a text from the daemon, each behind our name.
void complain(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    std::cerr << "pycgidctl: " << escape_control(line) << '\n';
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
}

int print(const Answer& answer) {
  if (!answer.ok) {
    complain(answer.text);
    return kFailed;
  }
  std::cout << answer.text << std::flush;
  if (!std::cout) {
    complain("cannot write to standard output");
    return kFailed;
  }
  return 0;
}

int stop(Client& client) {
  const Answer answer = client.ask("stop", kPatience);
  if (answer.ok) client.wait_end();
  return print(answer);
}

int act(const Command& command) {
  Client client(command.control);
  switch (command.action) {
    case Command::Action::ping:
      return print(client.ask("ping", kPingPatience));
    case Command::Action::status:
      return print(client.ask(concat("status ", command.argument), kPatience));
    case Command::Action::reload:
      return print(client.ask(
          command.argument.empty() ? "reload" : concat("reload ", command.argument), std::nullopt));
    case Command::Action::reopen_logs:
      return print(client.ask("reopen-logs", kPatience));
    case Command::Action::stop:
      return stop(client);
    default:
      return kFailed;
  }
}

int run(const std::vector<std::string>& arguments) {
  try {
    const Command command = parse_command(arguments);
    if (command.action == Command::Action::help) return print({true, help_text()});
    if (command.action == Command::Action::version) {
      return print({true, "pycgidctl " PYCGID_VERSION "\n"});
    }
    return act(command);
  } catch (const StartupError& error) {
    complain(error.text);
    return static_cast<int>(error.status);
  } catch (const Unreachable& error) {
    complain(error.text);
    return kUnavailable;
  } catch (const std::exception& error) {
    complain(error.what());
    return static_cast<int>(ExitStatus::bug);
  }
}

}  // namespace
}  // namespace pycgid::ctl

int main(int argc, char** argv) {
  return pycgid::ctl::run({argv + (argc > 0 ? 1 : 0), argv + argc});
}
