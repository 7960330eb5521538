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
  // An error (disk full, no such directory) leaves the store unusable until clear(): every further
  // call returns the same error.
  std::error_code append(std::string_view bytes, std::uint64_t memory_limit,
                         const std::string& temp_dir);

  // Bytes held: appended and not dropped.
  std::uint64_t size() const { return size_; }
  bool in_memory() const { return !file_; }
  // Valid while in_memory(), until the next append(), drop_front() or clear().
  std::string_view memory() const { return std::string_view(memory_).substr(dropped_); }
  // The file, positioned at 0 for the reader; -1 while in memory.
  int file() const { return file_.get(); }
  // Drops the first `bytes` of the memory, for streaming. Only while in_memory().
  void drop_front(std::size_t bytes);
  // Empties it and gives memory above a small capacity back.
  void clear();

 private:
  std::error_code write_at_end(std::string_view bytes);
  std::error_code spill(const std::string& temp_dir);

  std::string memory_;
  std::size_t dropped_ = 0;  // bytes at the front of memory_ that are gone already
  pyhost::UniqueFd file_;
  std::uint64_t size_ = 0;
  std::error_code failure_;
};

}  // namespace pycgid
