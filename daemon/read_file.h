// The one way to read a file that an option names, or the kernel's own in /proc: it never waits for
// a writer, never reads a device, and never takes more than it was told. Any thread.
#pragma once

#include <cstddef>
#include <string>

namespace pycgid {

struct FileText {
  std::string text{};
  int error = 0;          // errno; 0 when it was read, or is no file to be read
  std::string problem{};  // why it cannot be read; empty: it was

  bool is_read() const { return problem.empty(); }
};

// Of a configuration file, and of a file in PEM.
inline constexpr std::size_t kLargestNamedFile = std::size_t{1} << 20;
// Of a table in /proc, which has a line for each connection of the machine.
inline constexpr std::size_t kLargestTable = std::size_t{64} << 20;

// All of it; more than `most` bytes are a problem.
FileText read_file(const std::string& path, std::size_t most = kLargestNamedFile);

}  // namespace pycgid
