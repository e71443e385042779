#include "kernels/activity_penalty.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

FRAMEFOLD_SIMD double sum_sizes(Index count, const float* x) {
  return sum_of(count, [=](Index i) { return std::fabs(x[i]); });
}
FRAMEFOLD_SIMD double sum_squares(Index count, const float* x) {
  return sum_of(count, [=](Index i) { return x[i] * x[i]; });
}

}  // namespace

bool fast::activity_penalty_sum(const Stream& stream, ActivityPenalty penalty, double& sum,
                                Workspace workspace, View x) {
  if (!stream.wants(Path::native) || x.dtype != DType::f32) return false;
  const auto add = penalty.kind == ActivityPenalty::l1 ? sum_sizes : sum_squares;
  sum = piecewise_sum(
      stream, x.size(), pointwise_grain, workspace,
      [=, in = x.as<float>()](Index begin, Index end) { return add(end - begin, in + begin); });
  return true;
}

}  // namespace framefold
