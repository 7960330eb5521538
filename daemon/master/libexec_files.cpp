#include "daemon/master/libexec_files.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

namespace fs = std::filesystem;

bool is_workers(const fs::path& file) {
  return file.extension() == ".py" ||
         (file.extension() == ".so" && file.filename().string().starts_with("pycgid_host."));
}

// False for one that was written to in place, too.
bool is_installed(const std::string& directory, const LibexecFiles::File& file) {
  struct stat now {};
  const std::string path = concat(directory, "/", file.name);
  return ::stat(path.c_str(), &now) == 0 && now.st_dev == file.status.st_dev &&
         now.st_ino == file.status.st_ino && now.st_size == file.status.st_size &&
         now.st_mtim.tv_sec == file.status.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == file.status.st_mtim.tv_nsec;
}

}  // namespace

LibexecFiles::LibexecFiles(std::string directory) : directory_(std::move(directory)) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, error)) {
    if (!is_workers(entry.path())) continue;
    File file{entry.path().filename().string(),
              pyhost::UniqueFd(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
              {}};
    if (!file.fd || ::fstat(file.fd.get(), &file.status) != 0 || !S_ISREG(file.status.st_mode)) {
      continue;
    }
    files_.push_back(std::move(file));
  }
}

bool LibexecFiles::are_replaced() const {
  const auto installed = [this](const File& file) { return is_installed(directory_, file); };
  if (std::ranges::all_of(files_, installed)) return false;
  // The worker finds its files by these names.
  return !files_.empty() && ::access("/proc/self/fd", X_OK) == 0;
}

void LibexecFiles::tell_of_replacement() {
  if (std::exchange(told_, true)) return;
  log_warning(concat("the files in ", in_quotes(directory_),
                     " were replaced: workers still start from those of pycgid " PYCGID_VERSION
                     ", which runs; restart it"));
}

}  // namespace pycgid
