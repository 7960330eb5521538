// A file that lines are appended to, opened with the master's rights: the error log, or an access
// log, of which the gateway gets the descriptor. A symbolic link that somebody else than root and
// the daemon's user has made is not followed.
#pragma once

#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace pycgid {

class LogFile {
 public:
  // `option` is the one that names it and where, as OptionPlaces::text() has it, for messages.
  LogFile(std::string path, std::string option)
      : path_(std::move(path)), option_(std::move(option)) {}

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  // The configuration was read again.
  void set_option(std::string option) { option_ = std::move(option); }

  // Throws StartupError.
  void open();
  // Throws the same StartupError when open() would, and makes no file.
  void check() const;

  // Opens the path anew, as log rotation asks; keeps the old file, and says so, when that fails.
  // Returns why it did; empty: it did not.
  std::string reopen();

  // Opens a new file when this one was moved or removed, or when it has `rotate_size` bytes (0: any
  // number) and could be renamed. True: fd() is a new one. What goes wrong is said once, with
  // `rotate_option` as the constructor has `option`.
  bool tend(std::uint64_t rotate_size, std::string_view rotate_option);

 private:
  [[noreturn]] void cannot_open(int error) const;
  pyhost::UniqueFd open_path() const;
  bool replace_moved();
  bool rotate(std::string_view option);

  std::string path_;
  std::string option_;
  pyhost::UniqueFd fd_;
  bool trouble_told_ = false;
};

}  // namespace pycgid
