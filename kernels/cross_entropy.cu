#include "kernels/cross_entropy.cuh"

#include "kernels/cross_entropy.h"
#include "kernels/device/total.cuh"

namespace framefold {
namespace gpu {
namespace {

void cross_entropy_forward(const Stream& stream, Tensor y, Tensor lse, Workspace workspace, View x,
                           View t) {
  const Index C = x.shape[-1];
  const Index rows = lse.size();
  auto* losses = workspace.take<float>(rows);
  for_device_float(x.dtype, [&]<class T>(T) {
    const T* from = x.as<T>();
    const T* targets = t.as<T>();
    with_row_plan<T>(C, aligned(from, targets), [&]<class Plan>(Plan plan) {
      launch<&cross_entropy_rows<T, Plan>>(stream, grid_of_rows(plan, rows), rows, C, losses,
                                           lse.as<float>(), from, targets);
    });
  });
  launch<&finish_total<float>>(stream, {{1}, {total_threads}}, y.as<float>(),
                               1 / static_cast<double>(rows), rows, losses);
}

Bytes cross_entropy_workspace(const Stream&, const TensorType& x) {
  return Workspace::padded(static_cast<Bytes>(x.shape.size() / x.shape[-1]) * sizeof(float));
}

void cross_entropy_dgrad(const Stream& stream, Tensor dx, View dy, View x, View t, View lse) {
  const Index C = x.shape[-1];
  const Index rows = lse.size();
  for_device_float(x.dtype, [&]<class T>(T) {
    T* to = dx.as<T>();
    const T* from = x.as<T>();
    const T* targets = t.as<T>();
    with_row_plan<T>(C, aligned(to, from, targets), [&]<class Plan>(Plan plan) {
      launch<&cross_entropy_dgrad_rows<T, Plan>>(stream, grid_of_rows(plan, rows), rows, C, to,
                                                 dy.as<float>(), from, targets, lse.as<float>());
    });
  });
}

const OnDevice<&framefold::cross_entropy_forward> forward_path(cross_entropy_forward);
const OnDevice<&framefold::cross_entropy_dgrad> dgrad_path(cross_entropy_dgrad);
const OnDevice<&framefold::cross_entropy_workspace> workspace_path(cross_entropy_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold
