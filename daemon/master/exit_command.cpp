// Everything that allocates is done before fork; the child only makes system calls.
#include "daemon/master/exit_command.h"

#include "daemon/master/descriptors.h"
#include "daemon/master/process_limits.h"
#include "daemon/master/signals.h"
#include "daemon/master/variables.h"
#include "daemon/master/worker_ends.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

constexpr const char* kShell = "/bin/sh";

class Child {
 public:
  // `plan` outlives it.
  Child(const ExitPlan& plan, std::vector<std::string> environment, int null, int output)
      : plan_(plan),
        environment_(std::move(environment)),
        parent_(::getpid()),
        null_(null),
        output_(output) {
    for (std::string& variable : environment_) envp_.push_back(variable.data());
    envp_.push_back(nullptr);
  }

  // In the child, from fork to exec; async-signal-safe.
  [[noreturn]] void run() {
    // Of its own: what it leaves behind is found by it, see pyhost/session.h.
    ::setsid();
    ::dup2(null_, STDIN_FILENO);
    ::dup2(output_, STDOUT_FILENO);
    ::dup2(output_, STDERR_FILENO);
    close_descriptors_except({});
    if (const std::string_view option = apply_limits(plan_.pool); !option.empty()) fail(option);
    if (!drop_privileges(plan_.credentials)) fail("user");
    if (!die_with_parent(parent_)) ::_exit(1);
    if (plan_.pool.umask) ::umask(*plan_.pool.umask);
    enter_directory();
    hand_signals_on();
    let_signals_through();
    const std::array<const char*, 4> arguments{"sh", "-c", plan_.pool.on_exit.c_str(), nullptr};
    ::execve(kShell, const_cast<char* const*>(arguments.data()), envp_.data());
    fail(kShell);
  }

 private:
  // As for the worker, which had no rights in the daemon's own directory either.
  void enter_directory() const {
    const std::string& directory = plan_.command.directory;
    if (directory.empty() || ::chdir(directory.c_str()) == 0) return;
    if (!plan_.pool.chdir.empty() || errno != EACCES) fail("chdir");
  }

  [[noreturn]] static void fail(std::string_view what) {
    for (std::string_view part : {std::string_view("cannot run the command: "), what,
                                  std::string_view(" cannot be used\n")}) {
      if (::write(STDERR_FILENO, part.data(), part.size()) < 0) break;
    }
    ::_exit(static_cast<int>(ExitStatus::configuration));
  }

  const ExitPlan& plan_;
  std::vector<std::string> environment_;
  std::vector<char*> envp_;
  pid_t parent_;
  int null_;
  int output_;
};

int shell_status(int wait_status) {
  constexpr int kSignalled = 128;
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : kSignalled + WTERMSIG(wait_status);
}

}  // namespace

std::vector<std::string> exit_environment(const EndedWorker& worker) {
  std::vector<std::string> environment = worker.plan->command.environment;
  set_variables(environment,
                {concat("PYCGID_POOL=", worker.plan->pool.name),
                 concat("PYCGID_WORKER=", worker.number), concat("PYCGID_PID=", worker.pid),
                 concat("PYCGID_STATUS=", shell_status(worker.wait_status))});
  return environment;
}

std::string start_exit_command(const EndedWorker& worker, pid_t& pid, pyhost::UniqueFd& output) {
  const pyhost::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return concat("cannot open /dev/null: ", reason(errno));
  Pipe pipe;
  if (const std::error_code error = open_output_pipe(pipe)) {
    return concat("cannot create a pipe: ", error.message());
  }
  Child child(*worker.plan, exit_environment(worker), null.get(), pipe.write.get());
  pid = ::fork();
  if (pid == 0) child.run();
  if (pid < 0) return concat("cannot fork: ", reason(errno));
  output = std::move(pipe.read);
  return {};
}

}  // namespace pycgid
