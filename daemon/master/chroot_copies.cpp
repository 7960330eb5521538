// The workers' own files below another root, see chroot_copies.h.
#include "daemon/master/chroot_copies.h"

#include "daemon/master/libexec_files.h"
#include "daemon/master/path_problem.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "pyhost/unique_fd.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace pycgid {
namespace {

// Whoever may write below the root must not make the master wait, or read a device.
pyhost::UniqueFd open_regular(const std::string& path) {
  pyhost::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode)) fd.reset();
  return fd;
}

// False also when one of them cannot be read.
bool same_content(const pyhost::UniqueFd& first, const std::string& other) {
  const pyhost::UniqueFd second = open_regular(other);
  if (!second) return false;
  std::array<char, 65536> ours;
  std::array<char, 65536> theirs;
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(first.get(), ours.data(), ours.size(), at);
    if (got < 0 || ::pread(second.get(), theirs.data(), theirs.size(), at) != got) return false;
    if (got == 0) return true;
    if (!std::equal(ours.begin(), ours.begin() + got, theirs.begin())) return false;
    at += got;
  }
}

}  // namespace

void check_chroot_copies(const Settings& settings, const PoolSettings& pool) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (const auto problem = problem_with(pool.chroot, X_OK)) {
    fail_start(status_of(problem->error),
               concat("cannot change the root directory to ", in_quotes(pool.chroot), ": ",
                      problem->text, " ", pool.places.text("chroot")));
  }
  // Not with what an upgrade may have installed since.
  for (const LibexecFiles::File& file : settings.libexec_files->files()) {
    const std::string ours = concat(settings.libexec_dir, "/", file.name);
    const std::string copy = pool.chroot + ours;
    // A module for a Python that is not used there need not be there.
    const bool needed = file.name.ends_with(".py");
    if (!needed && !fs::exists(copy, error)) continue;
    if (same_content(file.fd, copy)) continue;
    fail_start(ExitStatus::configuration,
               concat(in_quotes(copy), " is not a copy of ", in_quotes(ours), " ",
                      pool.places.text("chroot"), "; copy or bind-mount ",
                      in_quotes(settings.libexec_dir), " to the same path below the new root"));
  }
}

}  // namespace pycgid
