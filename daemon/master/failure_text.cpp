// Why a start or a reload failed, see failure_text.h.
#include "daemon/master/failure_text.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace pycgid {
namespace {

struct Numbering {
  std::string_view before;
  std::string_view digits;
};

constexpr std::string_view kDecimal = "0123456789";
constexpr std::array<Numbering, 3> kNumberings{
    {{"[", kDecimal}, {"process ", kDecimal}, {"0x", "0123456789abcdefABCDEF"}}};

}  // namespace

std::string without_numbers_of_processes(std::string_view text) {
  std::string kept;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto stands_before = [&](const Numbering& numbering) {
      return std::string_view(kept).ends_with(numbering.before);
    };
    const auto found = std::ranges::find_if(kNumberings, stands_before);
    if (found != kNumberings.end()) {
      at = std::min(text.find_first_not_of(found->digits, at), text.size());
      if (at == text.size()) break;
    }
    kept += text[at++];
  }
  return kept;
}

}  // namespace pycgid
