// A request body on its way: in memory up to a limit, then in an unlinked temporary file.
// Used on the gateway's thread; writes to the file block no longer than the file system does.
#pragma once

#include "pyhost/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace pycgid {

class BodyStore {
 public:
  // Appends; moves everything to a temporary file in `temp_dir` (O_TMPFILE, or mkostemp and unlink
  // where that is not supported) when more than `memory_limit` bytes would be held.
  // An error (disk full, no such directory) leaves the store unusable until clear().
  std::error_code append(std::string_view bytes, std::uint64_t memory_limit,
                         const std::string& temp_dir);

  std::uint64_t size() const { return size_; }
  bool in_memory() const { return !file_; }
  // Valid while in_memory(), until the next append() or clear().
  std::string_view memory() const { return memory_; }
  // The file, positioned at 0 for the reader; -1 while in memory.
  int file() const { return file_.get(); }
  // Drops the first `bytes` of the memory, for streaming.
  void drop_front(std::size_t bytes);
  // Empties it and gives memory above a small capacity back.
  void clear();

 private:
  std::string memory_;
  pyhost::UniqueFd file_;
  std::uint64_t size_ = 0;
};

}  // namespace pycgid
