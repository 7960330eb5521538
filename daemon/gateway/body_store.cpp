// See body_store.h. Written with pwrite, so that the file's position stays at 0 for the reader,
// which shares it when the descriptor is passed on.
#include "daemon/gateway/body_store.h"

#include "daemon/gateway/text_arena.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

namespace pycgid {

static_assert(sizeof(off_t) == 8, "bodies over 2 GiB: compile with _FILE_OFFSET_BITS=64");

namespace {

constexpr std::size_t kKeptCapacity = std::size_t{16} * 1024;

std::error_code last_error() {
  return {errno, std::system_category()};
}

pyhost::UniqueFd open_unnamed(const std::string& directory) {
  int fd = -1;
  do {
    fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  return pyhost::UniqueFd(fd);
}

// For NFS, FUSE and older overlay file systems.
pyhost::UniqueFd open_and_unlink(const std::string& directory) {
  std::string path = directory + "/pycgid-body-XXXXXX";
  pyhost::UniqueFd file(::mkostemp(path.data(), O_CLOEXEC));
  if (file) ::unlink(path.c_str());
  return file;
}

// On failure no file, and errno says why. EISDIR is how a file system that knows nothing of
// O_TMPFILE answers: the flag contains O_DIRECTORY (open(2)).
pyhost::UniqueFd open_temporary(const std::string& directory) {
  pyhost::UniqueFd file = open_unnamed(directory);
  if (!file && (errno == EOPNOTSUPP || errno == EISDIR)) file = open_and_unlink(directory);
  return file;
}

}  // namespace

std::error_code BodyStore::append(std::string_view bytes, std::uint64_t memory_limit,
                                  const std::string& temp_dir) {
  if (failure_ || bytes.empty()) return failure_;
  if (in_memory() && size_ + bytes.size() <= memory_limit) {
    memory_.append(bytes);
    size_ += bytes.size();
    return {};
  }
  if (in_memory()) failure_ = spill(temp_dir);
  if (!failure_) failure_ = write_at_end(bytes);
  return failure_;
}

std::error_code BodyStore::spill(const std::string& temp_dir) {
  file_ = open_temporary(temp_dir);
  if (!file_) return last_error();
  const std::string_view held = memory();
  size_ = 0;
  const std::error_code error = write_at_end(held);
  empty_text(memory_, 0);
  dropped_ = 0;
  return error;
}

std::error_code BodyStore::write_at_end(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return last_error();
    size_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

void BodyStore::drop_front(std::size_t bytes) {
  dropped_ += bytes;
  size_ -= bytes;
  // Moving the rest down only when it is the smaller part keeps a stream's cost linear.
  if (dropped_ * 2 < memory_.size()) return;
  memory_.erase(0, dropped_);
  dropped_ = 0;
}

void BodyStore::clear() {
  empty_text(memory_, kKeptCapacity);
  dropped_ = 0;
  file_.reset();
  size_ = 0;
  failure_ = {};
}

}  // namespace pycgid
