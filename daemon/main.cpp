// pycgid(8): reads the command line and becomes the master.
#include "daemon/check.h"
#include "daemon/command_line.h"
#include "daemon/config_file.h"
#include "daemon/configuration.h"
#include "daemon/libexec.h"
#include "daemon/log.h"
#include "daemon/master/background.h"
#include "daemon/master/descriptors.h"
#include "daemon/master/libexec_files.h"
#include "daemon/master/log_files.h"
#include "daemon/master/master.h"
#include "daemon/master/pid_file.h"
#include "daemon/master/privileges.h"
#include "daemon/master/process_title.h"
#include "daemon/master/reconfiguration.h"
#include "daemon/master/service_manager.h"
#include "daemon/master/signals.h"
#include "daemon/start_directory.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <cerrno>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace pycgid {
namespace {

void run_master(const ConfigSource& source, LoadedConfiguration& configuration,
                const ProcessTitle& title, ServiceManager& service) {
  LogFiles logs(configuration.settings);
  logs.open();
  set_log_level(configuration.settings.log_level);
  set_log_format(configuration.settings.log_format);
  set_log_identity("master");
  Master master(source, configuration, logs, title, service);
  title.set("pycgid: master");
  master.run();
}

void serve(const ConfigSource& source, const ProcessTitle& title) {
  if (!forbid_inspection()) {
    fail_start(ExitStatus::system, concat("cannot protect the memory: ", reason(errno)));
  }
  LoadedConfiguration configuration = load(source);
  check_daemon(configuration.settings);
  PidFile pid_file(configuration.settings.pidfile, configuration.settings.places);
  Background background;
  if (configuration.settings.daemonize) background.enter();
  ServiceManager service(pid_file, background);
  try {
    pid_file.prepare();
    run_master(source, configuration, title, service);
    background.ended();
  } catch (const StartupError& error) {
    service.failed(error.text);
    background.failed(error.status);
    throw;
  }
}

void check(const CommandLine& command) {
  const auto [written, settings] = load(command.source);
  for (const std::string& warning : written.warnings) {
    std::cerr << journal_priority(LogLevel::warning)
              << "pycgid: warning: " << escape_control(warning) << '\n';
  }
  const bool show = command.action == CommandLine::Action::check_and_show;
  check_settings(settings, show ? "# " : "");
  if (show) std::cout << configuration_text(written.global, written.pools);
}

// Notes what is there now, and need not be when the configuration is read again.
void check_or_serve(CommandLine command, const ProcessTitle& title) {
  LibexecFiles files(find_libexec_dir());
  ConfigSource& source = command.source;
  source.libexec_files = &files;
  source.directory = start_directory();
  if (!source.file.empty()) source.file = absolute_path(source.directory, source.file);
  if (command.action != CommandLine::Action::run) return check(command);
  serve(source, title);
}

void act(const CommandLine& command, const ProcessTitle& title) {
  if (command.action != CommandLine::Action::run) let_signals_through();
  switch (command.action) {
    case CommandLine::Action::help:
      std::cout << help_text();
      break;
    case CommandLine::Action::version:
      std::cout << version_text();
      break;
    case CommandLine::Action::check:
    case CommandLine::Action::check_and_show:
    case CommandLine::Action::run:
      check_or_serve(command, title);
      break;
  }
}

int report(ExitStatus status, const std::string& text) {
  std::cerr << journal_priority(LogLevel::error) << "pycgid: " << escape_control(text) << '\n';
  return static_cast<int>(status);
}

int run(int argc, char** argv) {
  try {
    open_standard_descriptors();
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    act(parse_command_line(arguments), ProcessTitle(argc, argv));
    return static_cast<int>(ExitStatus::ok);
  } catch (const StartupError& error) {
    return report(error.status, error.text);
  } catch (const std::exception& error) {
    return report(ExitStatus::bug, error.what());
  }
}

}  // namespace
}  // namespace pycgid

int main(int argc, char** argv) {
  // Before anything that takes time: a signal that comes meanwhile is obeyed when it can be.
  pycgid::hold_signals();
  return pycgid::run(argc, argv);
}
