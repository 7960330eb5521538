// Whole lines for a log file, see line_file.h.
#include "daemon/gateway/line_file.h"

#include "daemon/escape.h"
#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

bool is_regular_file(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

void LineFile::open(pyhost::UniqueFd fd) {
  fd_ = std::move(fd);
  is_file_ = is_regular_file(fd_.get());
  torn_ = false;
}

std::string_view LineFile::write(std::string_view lines) {
  if (torn_ && ::write(fd_.get(), "\n", 1) != 1) return lines;
  torn_ = false;
  while (!lines.empty()) {
    const std::string_view piece = is_file_ ? lines : lines_for_pipe(lines);
    const ssize_t count = ::write(fd_.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return lines;
    torn_ = count > 0 && piece[static_cast<std::size_t>(count) - 1] != '\n';
    lines.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

void LostLines::note_failure(int error, std::string_view unwritten, std::string_view log,
                             std::string_view option) {
  lost_ += static_cast<std::uint64_t>(std::ranges::count(unwritten, '\n'));
  if (std::exchange(failing_, true)) return;
  log_error(concat("cannot write ", log, ": ", reason(error), " (option ", in_quotes(option),
                   "); its lines are lost until it can be written again"));
}

void LostLines::note_success(std::string_view log) {
  if (!std::exchange(failing_, false)) return;
  log_notice(concat(log, " can be written again; lines lost: ", std::exchange(lost_, 0)));
}

}  // namespace pycgid
