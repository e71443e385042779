#include "kernels/activity_penalty.h"

#include "kernels/add.cuh"
#include "kernels/device/total.cuh"

namespace framefold {
namespace gpu {
namespace {

struct Size {
  bool squared;
  __device__ __forceinline__ float operator()(float x) const { return squared ? x * x : fabsf(x); }
};

struct SizeGradient {
  bool squared;
  const float* dy;
  float weight;
  __device__ __forceinline__ float operator()(Index, float x) const {
    const float slope = squared ? 2 * x : (x > 0 ? 1.0F : (x < 0 ? -1.0F : x));
    return *dy * weight * slope;
  }
};

// m of each column from its sum over the rows.
struct HoldActivity {
  float* m;
  Index rows;
  __device__ __forceinline__ void operator()(Index, Index column, const float (&sum)[1]) const {
    const float mean = sum[0] / static_cast<float>(rows);
    constexpr auto low = static_cast<float>(ActivityPenalty::bound);
    constexpr auto high = static_cast<float>(1 - ActivityPenalty::bound);
    m[column] = mean < low ? low : (mean > high ? high : mean);
  }
};

struct ActivityDivergence {
  float r;
  __device__ __forceinline__ float operator()(float m) const {
    return r * logf(r / m) + (1 - r) * logf((1 - r) / (1 - m));
  }
};

// Every row's gradient is the same.
struct SparsityGradient {
  using Column = float;
  const float* dy;
  const float* m;
  float r, rows;
  __device__ __forceinline__ float column(Index, Index c) const {
    return *dy / rows * ((1 - r) / (1 - m[c]) - r / m[c]);
  }
  __device__ __forceinline__ float operator()(float gradient) const { return gradient; }
};

ColumnExtent columns_of(const Shape& x) { return {1, x.size() / x[-1], x[-1]}; }

void activity_penalty_forward(const Stream& stream, ActivityPenalty penalty, Tensor y, Tensor m,
                              Workspace workspace, View x) {
  for_device_float(x.dtype, [&]<class T>(T) {
    const T* from = x.as<T>();
    if (penalty.kind != ActivityPenalty::sparsity)
      return sum_elements(stream, Size{penalty.kind == ActivityPenalty::l2}, x.size(),
                          y.as<float>(), weight_of(penalty.reduction, x.shape), workspace, from);
    const ColumnExtent extent = columns_of(x.shape);
    const HoldActivity hold{m.as<float>(), extent.rows};
    if (aligned(from) && extent.columns % pack_of<T> == 0)
      sum_columns(stream, RowTerms<T, pack_of<T>>{from, extent.columns}, hold, extent, workspace);
    else
      sum_columns(stream, RowTerms<T, 1>{from, extent.columns}, hold, extent, workspace);
    sum_elements(stream, ActivityDivergence{penalty.target}, m.size(), y.as<float>(), 1, workspace,
                 static_cast<const float*>(m.as<float>()));
  });
}

void activity_penalty_dgrad(const Stream& stream, ActivityPenalty penalty, Tensor dx, Workspace,
                            View dy, View x, View m) {
  for_device_float(dx.dtype, [&]<class T>(T) {
    const auto* cotangent = dy.as<float>();
    if (penalty.kind != ActivityPenalty::sparsity)
      return map(stream,
                 SizeGradient{penalty.kind == ActivityPenalty::l2, cotangent,
                              static_cast<float>(weight_of(penalty.reduction, dx.shape))},
                 dx.size(), dx.as<T>(), x.as<T>());
    const ColumnExtent extent = columns_of(dx.shape);
    map_columns(
        stream,
        SparsityGradient{cotangent, m.as<float>(), penalty.target, static_cast<float>(extent.rows)},
        extent, dx.as<T>());
  });
}

Bytes activity_penalty_workspace(const Stream&, ActivityPenalty penalty, const TensorType& x) {
  if (penalty.kind != ActivityPenalty::sparsity)
    return piecewise_sum_workspace(x.shape.size(), pointwise_grain);
  return std::max(column_workspace(columns_of(x.shape), 1),
                  piecewise_sum_workspace(x.shape[-1], pointwise_grain));
}

const OnDevice<&framefold::activity_penalty_forward> forward_path(activity_penalty_forward);
const OnDevice<&framefold::activity_penalty_dgrad> dgrad_path(activity_penalty_dgrad);
const OnDevice<&framefold::activity_penalty_workspace> workspace_path(activity_penalty_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold
