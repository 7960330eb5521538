// A text in an unnamed file, see text_file.h.
#include "daemon/text_file.h"

#include <array>
#include <cerrno>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace pycgid {
namespace {

[[noreturn]] void fail() {
  throw std::system_error(errno, std::generic_category(), "memfd");
}

}  // namespace

pyhost::UniqueFd make_text_file(std::string_view text) {
  pyhost::UniqueFd file(::memfd_create("pycgid-text", MFD_CLOEXEC));
  if (!file) fail();
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno != EINTR) fail();
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  return file;
}

std::optional<std::string> read_text_file(const pyhost::UniqueFd& file) {
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t count =
        ::pread(file.get(), chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (count == 0) return text;
    if (count < 0 && errno != EINTR) return std::nullopt;
    if (count > 0) text.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace pycgid
