// Files that are read whole, see read_file.h.
#include "daemon/read_file.h"

#include "daemon/option_values.h"
#include "daemon/text.h"
#include "pyhost/unique_fd.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pycgid {
namespace {

FileText failed(int error) {
  return {{}, error, reason(error)};
}

FileText refused(std::string why) {
  return {{}, 0, std::move(why)};
}

// open(2) of a pipe waits for a writer unless O_NONBLOCK is given, and a terminal would become
// ours.
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

}  // namespace

FileText read_file(const std::string& path, std::size_t most) {
  const pyhost::UniqueFd fd(::open(path.c_str(), kFlags));
  // A socket, or a device without a driver.
  if (!fd && errno == ENXIO) return refused("it is not a regular file");
  if (!fd) return failed(errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failed(errno);
  if (S_ISDIR(status.st_mode)) return failed(EISDIR);
  if (!S_ISREG(status.st_mode)) return refused("it is not a regular file");
  FileText file;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(errno);
    if (count == 0) return file;
    file.text.append(chunk.data(), static_cast<std::size_t>(count));
    if (file.text.size() > most) return refused(concat("it is larger than ", size_text(most)));
  }
}

}  // namespace pycgid
