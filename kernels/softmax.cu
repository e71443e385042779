#include "kernels/softmax.cuh"

#include "kernels/softmax.h"

namespace framefold {
namespace gpu {
namespace {

void softmax_forward(const Stream& stream, Tensor y, View x) {
  if (x.size() == 0) return;
  const Index C = x.shape[-1];
  const Index rows = x.size() / C;
  for_device_float(x.dtype, [&]<class T>(T) {
    T* to = y.as<T>();
    const T* from = x.as<T>();
    with_row_plan<T>(C, aligned(to, from), [&]<class Plan>(Plan plan) {
      launch<&softmax_rows<T, Plan>>(stream, grid_of_rows(plan, rows), rows, C, to, from);
    });
  });
}

void softmax_dgrad(const Stream& stream, Tensor dx, View dy, View y) {
  if (y.size() == 0) return;
  const Index C = y.shape[-1];
  const Index rows = y.size() / C;
  for_device_float(y.dtype, [&]<class T>(T) {
    T* to = dx.as<T>();
    const T* g = dy.as<T>();
    const T* from = y.as<T>();
    with_row_plan<T>(C, aligned(to, g, from), [&]<class Plan>(Plan plan) {
      launch<&softmax_dgrad_rows<T, Plan>>(stream, grid_of_rows(plan, rows), rows, C, to, g, from);
    });
  });
}

const OnDevice<&framefold::softmax_forward> forward_path(softmax_forward);
const OnDevice<&framefold::softmax_dgrad> dgrad_path(softmax_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold
