#include "pyhost/process_title.h"

#include "pyhost/buffer.h"
#include "pyhost/unique_fd.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace pyhost {
namespace {

struct Area {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

// proc(5): arg_start and arg_end are fields 48 and 49 of /proc/self/stat. Field 2 may contain
// anything, so the count begins behind its closing parenthesis.
Area argument_area() {
  constexpr int kFieldAfterName = 3;
  constexpr int kArgStart = 48;
  std::array<char, 2048> buffer;
  const UniqueFd stat(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  const ssize_t size = ::read(stat.get(), buffer.data(), buffer.size());
  if (size <= 0) return {};
  std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  text.remove_prefix(std::min(text.rfind(") "), text.size() - 2) + 2);
  for (int field = kFieldAfterName; field < kArgStart; ++field) {
    text.remove_prefix(std::min(text.find(' '), text.size() - 1) + 1);
  }
  Area area;
  const char* const end = text.data() + text.size();
  const char* const middle = std::from_chars(text.data(), end, area.start).ptr;
  if (middle == end || std::from_chars(middle + 1, end, area.end).ec != std::errc{}) return {};
  return area;
}

}  // namespace

void set_process_title(std::string_view title) {
  // Of the main thread; threads that it starts inherit it.
  ::prctl(PR_SET_NAME, "pycgid");

  const Area area = argument_area();
  constexpr std::uint64_t kMaxArea = 1 << 20;
  if (area.start == 0 || area.end <= area.start + 1 || area.end - area.start > kMaxArea) return;
  const auto size = static_cast<std::size_t>(area.end - area.start);
  Buffer bytes;
  if (!bytes.reserve(size)) return;
  std::memset(bytes.data(), 0, size);
  title.copy(bytes.data(), size - 1);
  // Through /proc, where a wrong address is an error and not a crash.
  const UniqueFd memory(::open("/proc/self/mem", O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] const ssize_t written =
      ::pwrite(memory.get(), bytes.data(), size, static_cast<off_t>(area.start));
}

}  // namespace pyhost
