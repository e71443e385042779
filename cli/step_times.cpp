#include "cli/step_times.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace framefold {

Interval median_interval(std::vector<double> samples) {
  if (samples.empty()) fail(ErrorCode::argument, "there is no median of no times");
  std::sort(samples.begin(), samples.end());
  const auto count = static_cast<double>(samples.size());
  const double reach = 0.98 * std::sqrt(count);  // 1.96 deviations of the binomial (n, 1/2)
  const auto at = [&](double rank) {
    return samples[static_cast<std::size_t>(std::clamp(rank, 0.0, count - 1))];
  };
  const std::size_t half = samples.size() / 2;
  const double median =
      samples.size() % 2 == 1 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
  return {median, at(std::floor(count / 2 - reach)), at(std::ceil(count / 2 + reach))};
}

Verdict compare(const Interval& before, const Interval& now, double margin) {
  const double ratio = now.median / before.median;
  if (now.high < before.low && ratio < 1 - margin) return Verdict::faster;
  if (now.low > before.high && ratio > 1 + margin) return Verdict::slower;
  if (now.high / before.low <= 1 + margin && now.low / before.high >= 1 - margin)
    return Verdict::same;
  return Verdict::unclear;
}

std::string_view name_of(Verdict verdict) {
  constexpr std::string_view names[] = {"faster", "slower", "same", "unclear"};
  return names[static_cast<std::size_t>(verdict)];
}

}  // namespace framefold
