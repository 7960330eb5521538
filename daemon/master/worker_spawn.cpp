// Starting one worker, see worker_spawn.h. Everything that allocates is done before fork; the child
// only makes system calls.
#include "daemon/master/worker_spawn.h"

#include "daemon/master/descriptors.h"
#include "daemon/master/process_limits.h"
#include "daemon/master/signals.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace pycgid {
namespace {

// Requests that wait in the worker's own queue while all its threads are busy.
constexpr std::uint32_t kSpareSlots = 8;
// Room in a slot for an inlined body and for what the gateway adds to the variables.
constexpr std::uint64_t kSlotExtra = 128ULL * 1024;

struct Pipe {
  pyhost::UniqueFd read;
  pyhost::UniqueFd write;
};

std::error_code open_pipe(Pipe& pipe) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return {errno, std::generic_category()};
  pipe.read.reset(fds[0]);
  pipe.write.reset(fds[1]);
  fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return {};
}

// The child's half of everything.
struct WorkerEnds {
  pyhost::UniqueFd null;
  Pipe output;
  Pipe status;
  pyhost::ChannelPair channel;
};

pyhost::ChannelSizes channel_sizes(const PoolSettings& pool) {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t bytes = (pool.max_params + kSlotExtra + page - 1) / page * page;
  pyhost::ChannelSizes sizes;
  sizes.slots = pool.threads + kSpareSlots;
  sizes.request_bytes = static_cast<std::uint32_t>(bytes);
  return sizes;
}

std::error_code open_ends(const PoolSettings& pool, WorkerEnds& ends) {
  ends.null.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!ends.null) return {errno, std::generic_category()};
  if (const std::error_code error = open_pipe(ends.output)) return error;
  if (const std::error_code error = open_pipe(ends.status)) return error;
  return pyhost::create_channel(channel_sizes(pool), ends.channel);
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
  Child(const WorkerPlan& plan, const WorkerEnds& ends, std::uint32_t number)
      : plan_(plan),
        ends_(ends),
        parent_(getpid()),
        kept_{ends.channel.worker.memory.get(), ends.channel.worker.bell.get(),
              ends.channel.worker.passing.get(), ends.status.write.get()},
        arguments_(plan.command.arguments),
        environment_(plan.command.environment) {
    arguments_.push_back(concat("worker=", number));
    arguments_.push_back(concat("memory_fd=", kept_[0]));
    arguments_.push_back(concat("bell_fd=", kept_[1]));
    arguments_.push_back(concat("passing_fd=", kept_[2]));
    arguments_.push_back(concat("status_fd=", kept_[3]));
    argv_ = pointers_to(arguments_);
    envp_ = pointers_to(environment_);
    prepare_complaints();
  }

  // In the child, from fork to exec; async-signal-safe.
  [[noreturn]] void run() {
    setpgid(0, 0);
    connect_descriptors();
    if (const std::string_view option = apply_limits(plan_.pool); !option.empty()) fail(option);
    if (!drop_privileges(plan_.credentials)) fail("user");
    if (!die_with_parent(parent_)) _exit(1);
    if (plan_.pool.umask) ::umask(*plan_.pool.umask);
    if (!plan_.pool.chdir.empty() && ::chdir(plan_.pool.chdir.c_str()) != 0) fail("chdir");
    restore_signals();
    ::execve(plan_.command.program.c_str(), argv_.data(), envp_.data());
    fail(plan_.pool.venv.empty() ? "python" : "venv");
  }

 private:
  void prepare_complaints() {
    const PoolSettings& pool = plan_.pool;
    const std::string program = concat("run python ", in_quotes(plan_.command.program));
    const auto add = [&](std::string_view option, std::string_view what) {
      complaints_.push_back({option, concat("error 78 cannot ", what, ": "),
                             concat(" ", pool.places.text(option), "\n")});
    };
    add("nice", concat("set priority ", pool.nice.value_or(0)));
    add("rlimit-nofile", concat("limit open files to ", pool.rlimit_nofile.value_or(0)));
    add("rlimit-core", "limit the size of core files");
    add("chroot", concat("change the root directory to ", in_quotes(pool.chroot)));
    add("user", concat("change to user ", in_quotes(pool.user)));
    add("chdir", concat("enter directory ", in_quotes(pool.chdir)));
    add("python", program);
    add("venv", program);
  }

  void connect_descriptors() {
    ::dup2(ends_.null.get(), STDIN_FILENO);
    ::dup2(ends_.output.write.get(), STDOUT_FILENO);
    ::dup2(ends_.output.write.get(), STDERR_FILENO);
    for (int fd : kept_) fcntl(fd, F_SETFD, 0);
    std::array<int, 4> kept = kept_;
    close_descriptors_except(kept);
  }

  // What is said when an option cannot be done; the system's reason goes in between.
  struct Complaint {
    std::string_view option;
    std::string what;
    std::string where;
  };

  // The worker's one line on the status pipe.
  [[noreturn]] void fail(std::string_view option) const {
    const std::string_view why = strerrordesc_np(errno);
    for (const Complaint& complaint : complaints_) {
      if (complaint.option != option) continue;
      for (std::string_view part :
           {std::string_view(complaint.what), why, std::string_view(complaint.where)}) {
        if (::write(ends_.status.write.get(), part.data(), part.size()) < 0) break;
      }
    }
    _exit(static_cast<int>(ExitStatus::configuration));
  }

  const WorkerPlan& plan_;
  const WorkerEnds& ends_;
  pid_t parent_;
  std::array<int, 4> kept_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
  std::vector<Complaint> complaints_;
};

}  // namespace

std::string spawn_worker(const WorkerPlan& plan, std::uint32_t number, SpawnedWorker& worker) {
  WorkerEnds ends;
  if (const std::error_code error = open_ends(plan.pool, ends)) {
    return concat("cannot create the channel of a worker: ", error.message());
  }
  Child child(plan, ends, number);
  const pid_t pid = ::fork();
  if (pid < 0) return concat("cannot fork: ", reason(errno));
  if (pid == 0) child.run();
  // Here too: the group must exist before anybody kills it.
  setpgid(pid, pid);
  worker.pid = pid;
  worker.status = std::move(ends.status.read);
  worker.output = std::move(ends.output.read);
  worker.channel = std::move(ends.channel.gateway);
  return {};
}

}  // namespace pycgid
