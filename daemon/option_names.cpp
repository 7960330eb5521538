// Options by name, also by one that is mistyped; see option_table.h.
#include "daemon/option_table.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace pycgid {
namespace {

// Levenshtein distance: how many letters to insert, drop or change.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t change = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

const OptionRow* find_option(std::string_view name) {
  const auto row = std::ranges::find(option_rows(), name, &OptionRow::name);
  return row == option_rows().end() ? nullptr : &*row;
}

std::string_view nearest_option(std::string_view name) {
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const OptionRow& row : option_rows()) {
    if (row.set == nullptr) continue;
    const std::size_t steps = distance(name, row.name);
    if (steps >= least) continue;
    least = steps;
    nearest = row.name;
  }
  return nearest;
}

}  // namespace pycgid
