// Starting a worker or a template, see worker_spawn.h. Everything that allocates is done before
// fork; the child only makes system calls.
#include "daemon/master/worker_spawn.h"

#include "daemon/master/descriptors.h"
#include "daemon/master/libexec_files.h"
#include "daemon/master/path_problem.h"
#include "daemon/master/process_limits.h"
#include "daemon/master/signals.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "pyhost/log_socket.h"
#include "pyhost/own_fds.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pycgid {
namespace {

// What a child is given besides its plan.
struct Launch {
  pyhost::UniqueFd null;
  int output = -1;
  int status = -1;                     // as the child knows it
  std::vector<int> passed;             // descriptors that it gets, as they are here
  std::vector<int> kept;               // as they are there: numbers in a row
  std::vector<std::string> arguments;  // what tells it of them
  std::string boot;                    // what it runs; empty: the file that is installed
};

// strerror() may allocate where glibc's translations are; musl's, a table, doesn't.
const char* reason_of(int error) {
#ifdef PYCGID_HAS_STRERRORDESC_NP
  return strerrordesc_np(error);
#else
  return std::strerror(error);
#endif
}

std::error_code open_null(Launch& launch) {
  launch.null.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return launch.null ? std::error_code() : std::error_code(errno, std::generic_category());
}

using NamedFd = std::pair<std::string_view, int>;

// The first of `count` numbers in a row where the child's descriptors stand: see own_fds.h. A
// master that has so many open that its own come near goes below them.
int first_place(const Launch& launch, int count) {
  const pyhost::RaisedFileLimit limit;
  const auto in_the_way = [&](int first) {
    return std::ranges::any_of(launch.passed,
                               [&](int fd) { return fd >= first && fd < first + count; });
  };
  int first = limit.end() - count;
  while (in_the_way(first)) first -= count;
  return first;
}

void pass(Launch& launch, const std::vector<NamedFd>& given) {
  for (const auto& [name, fd] : given) launch.passed.push_back(fd);
  int place = first_place(launch, static_cast<int>(given.size()));
  for (const auto& [name, fd] : given) {
    launch.kept.push_back(place);
    launch.arguments.push_back(concat(name, "=", place));
    if (fd == launch.status) launch.status = place;
    if (name == "boot.py") launch.boot = concat("/proc/self/fd/", place);
    ++place;
  }
}

void pass(Launch& launch, const WorkerPlan& plan, std::vector<NamedFd> given) {
  LibexecFiles* files = plan.command.files;
  if (files != nullptr && files->are_replaced()) {
    files->tell_of_replacement();
    launch.arguments.push_back("libexec=" + files->directory());
    for (const LibexecFiles::File& file : files->files()) {
      given.emplace_back(file.name, file.fd.get());
    }
  }
  pass(launch, given);
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Everything that the child needs, laid out so that it need not allocate.
class Child {
 public:
  // `launch` outlives it.
  Child(const WorkerPlan& plan, Launch& launch)
      : plan_(plan),
        launch_(launch),
        parent_(getpid()),
        arguments_(plan.command.arguments),
        environment_(plan.command.environment) {
    if (!launch.boot.empty()) arguments_.at(1) = launch.boot;
    arguments_.insert(arguments_.end(), launch.arguments.begin(), launch.arguments.end());
    argv_ = pointers_to(arguments_);
    envp_ = pointers_to(environment_);
    prepare_complaints();
  }

  // In the child, from fork to exec; async-signal-safe.
  [[noreturn]] void run() {
    // Of its own: what the application starts is found by it, see pyhost/session.h.
    setsid();
    connect_descriptors();
    if (const std::string_view option = apply_limits(plan_.pool); !option.empty()) {
      // Who starts it lacks the right; the file may be as it should be.
      fail(option, errno == EPERM || errno == EACCES ? ExitStatus::system : status_of(errno));
    }
    if (!drop_privileges(plan_.credentials)) fail("user", status_of(errno));
    if (!die_with_parent(parent_)) _exit(1);
    if (plan_.pool.umask) ::umask(*plan_.pool.umask);
    enter_directory();
    hand_signals_on();
    ::execve(plan_.command.program.c_str(), argv_.data(), envp_.data());
    const bool is_venv = !plan_.pool.venv.empty();
    // Of a program that was there when the master looked.
    if (errno == ENOENT) {
      fail(is_venv ? "venv's loader" : "python's loader", ExitStatus::configuration);
    }
    fail(is_venv ? "venv" : "python", status_of(errno));
  }

 private:
  void enter_directory() const {
    const std::string& directory = plan_.command.directory;
    if (directory.empty() || ::chdir(directory.c_str()) == 0) return;
    if (!plan_.pool.chdir.empty()) fail("chdir", status_of(errno));
    // Where the daemon was started its user need not have rights, as long as the pool has all it
    // needs elsewhere; but another directory than the one of that name must not be taken for it.
    if (errno != EACCES) fail("start directory", status_of(errno));
  }

  void prepare_complaints() {
    const PoolSettings& pool = plan_.pool;
    const std::string program = concat("run python ", in_quotes(plan_.command.program));
    const auto add = [&](std::string_view option, std::string_view what) {
      complaints_.push_back(
          {option, concat("cannot ", what, ": "), concat(" ", pool.places.text(option), "\n")});
    };
    const std::string loader = concat(program, ": it, its dynamic loader or its interpreter");
    for (std::string_view name : {"python's loader", "venv's loader"}) {
      add(name.substr(0, name.find('\'')), loader);
      complaints_.back().option = name;
    }
    add("nice", concat("set priority ", pool.nice.value_or(0)));
    add("rlimit-nofile", concat("limit open files to ", pool.rlimit_nofile.value_or(0)));
    add("rlimit-core", "limit the size of core files");
    add("chroot", concat("change the root directory to ", in_quotes(pool.chroot)));
    add("user", concat("change to user ", in_quotes(pool.user)));
    add("chdir", concat("enter directory ", in_quotes(pool.chdir)));
    complaints_.push_back({"start directory",
                           concat("cannot enter directory ", in_quotes(plan_.command.directory),
                                  ", where pycgid was started: "),
                           "; give option \"chdir\"\n"});
    add("python", program);
    add("venv", program);
  }

  void connect_descriptors() {
    ::dup2(launch_.null.get(), STDIN_FILENO);
    ::dup2(launch_.output, STDOUT_FILENO);
    ::dup2(launch_.output, STDERR_FILENO);
    const pyhost::RaisedFileLimit limit;
    for (std::size_t i = 0; i < launch_.kept.size(); ++i) {
      ::dup2(launch_.passed[i], launch_.kept[i]);
    }
    close_descriptors_except(launch_.kept);
  }

  // What is said when an option cannot be done; the system's reason goes in between.
  struct Complaint {
    std::string_view option;
    std::string what;
    std::string where;
  };

  // The worker's one line on the status pipe.
  [[noreturn]] void fail(std::string_view option, ExitStatus status) const {
    const std::string_view why = reason_of(errno);
    const std::string_view error = status == ExitStatus::system      ? "error 71 "
                                   : status == ExitStatus::temporary ? "error 75 "
                                                                     : "error 78 ";
    for (const Complaint& complaint : complaints_) {
      if (complaint.option != option) continue;
      for (std::string_view part :
           {error, std::string_view(complaint.what), why, std::string_view(complaint.where)}) {
        if (::write(launch_.status, part.data(), part.size()) < 0) break;
      }
    }
    _exit(static_cast<int>(status));
  }

  const WorkerPlan& plan_;
  Launch& launch_;
  pid_t parent_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
  std::vector<Complaint> complaints_;
};

// Returns the child's pid; -1 with errno set.
pid_t start_child(const WorkerPlan& plan, Launch& launch) {
  Child child(plan, launch);
  const pid_t pid = ::fork();
  if (pid == 0) child.run();
  return pid;
}

}  // namespace

std::string spawn_worker(const WorkerPlan& plan, std::uint32_t number, SpawnedWorker& worker) {
  Launch launch;
  pyhost::WorkerSide side;
  std::error_code error = open_null(launch);
  if (!error) error = open_worker_ends(plan.pool, worker, side);
  if (error) return concat("cannot create the channel of a worker: ", error.message());
  launch.output = side.output.get();
  launch.status = side.status.get();
  launch.arguments.push_back(concat("worker=", number));
  pass(launch, plan,
       {{"memory_fd", side.channel.memory.get()},
        {"bell_fd", side.channel.bell.get()},
        {"passing_fd", side.channel.passing.get()},
        {"log_fd", side.log.get()},
        {"status_fd", launch.status}});
  worker.pid = start_child(plan, launch);
  return worker.pid < 0 ? concat("cannot fork: ", reason(errno)) : "";
}

std::string spawn_template(const WorkerPlan& plan, SpawnedTemplate& spawned) {
  Launch launch;
  Pipe output;
  Pipe status;
  pyhost::LogSocket log;
  pyhost::OrderLink link;
  std::error_code error = open_null(launch);
  if (!error) error = open_output_pipe(output);
  if (!error) error = open_pipe(status);
  if (!error) error = pyhost::create_log_socket(log);
  if (!error) error = pyhost::create_order_link(link);
  if (error) return concat("cannot create the link of a template: ", error.message());
  launch.output = output.write.get();
  launch.status = status.write.get();
  pass(launch, plan,
       {{"orders_fd", link.workers.get()},
        {"log_fd", log.worker.get()},
        {"status_fd", launch.status}});
  // What it forks becomes ours when what forked it ends.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t pid = start_child(plan, launch);
  if (pid < 0) return concat("cannot fork: ", reason(errno));
  spawned.process.pid = pid;
  spawned.process.status = std::move(status.read);
  spawned.process.output = std::move(output.read);
  spawned.process.log = std::move(log.gateway);
  spawned.orders = std::move(link.master);
  return {};
}

}  // namespace pycgid
