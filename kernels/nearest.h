// The nearest of some known names: what a message about an unknown one suggests.
#pragma once

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace framefold {

// Insertions, deletions and replacements that turn a into b or a beginning of b (Levenshtein 1966),
// doubled, and one more where the end of b is left out.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return std::min(2 * row.back(), 2 * *std::ranges::min_element(row) + 1);
}

// The first of the known names at the smallest distance; empty where nothing is known.
template <class Names>
std::string_view nearest(std::string_view given, const Names& known) {
  std::string_view best;
  std::size_t distance = ~std::size_t{0};
  for (const auto& name : known)
    if (const std::size_t candidate = edit_distance(given, name); candidate < distance) {
      best = name;
      distance = candidate;
    }
  return best;
}

}  // namespace framefold
