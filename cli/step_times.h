// What can be said of times that scatter.
#pragma once

#include <string_view>
#include <vector>

namespace framefold {

// The median and the bounds between which the true one lies 95 times of 100, from the samples'
// ranks: no distribution is assumed.
struct Interval {
  double median = 0, low = 0, high = 0;
};
Interval median_interval(std::vector<double> samples);  // at least one

// Of new times beside old ones. Faster and slower: their intervals do not touch, and the medians
// differ by more than `margin`. Same: even the intervals' far ends differ by no more than that.
enum class Verdict { faster, slower, same, unclear };
Verdict compare(const Interval& before, const Interval& now, double margin = 0.02);
std::string_view name_of(Verdict verdict);

}  // namespace framefold
