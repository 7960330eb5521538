// A text of any length in an unnamed file, to be handed from process to process as a descriptor.
#pragma once

#include "pyhost/unique_fd.h"

#include <optional>
#include <string>
#include <string_view>

namespace pycgid {

// Throws std::system_error.
pyhost::UniqueFd make_text_file(std::string_view text);

// The whole text, wherever the descriptor's offset stands; empty when it cannot be read.
std::optional<std::string> read_text_file(const pyhost::UniqueFd& file);

}  // namespace pycgid
