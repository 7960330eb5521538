// Descriptors on their way over a channel's socket pair, each with the request it belongs to.
// Nothing here blocks.
#pragma once

#include "pyhost/unique_fd.h"

#include <cstdint>

namespace pyhost {

struct FileTag {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
};

// False when the socket has no room or its other end is gone.
bool send_file(int socket, const FileTag& tag, int fd);

// False when nothing is there. True with an empty `fd`: a message that carried none, or that had
// another size than ours have.
bool receive_file(int socket, FileTag& tag, UniqueFd& fd);

bool is_regular_file(int fd);

}  // namespace pyhost
