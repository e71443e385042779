#include "kernels/matmul.cuh"

#include "kernels/matmul.h"

namespace framefold {
namespace gpu {
namespace {

// Rows of op(A), or columns of op(B): `turned` where neighbours in them are neighbours in memory.
template <class T>
MatrixOperand<T> operand(const T* data, Index rows, Index k, bool turned) {
  if (turned) return {data, rows * k, 1, rows, false};
  return {data, rows * k, k, 1, true};
}

void product(const Stream& stream, const Product& p, Tensor c, Workspace workspace, View a, View b,
             View bias) {
  for_device_float(c.dtype, [&]<class TC>(TC) {
    for_device_float(a.dtype, [&]<class TA>(TA) {
      for_device_float(b.dtype, [&]<class TB>(TB) {
        // Weights are f32 beside bf16 activations, so are gates.
        if constexpr (std::is_same_v<TA, float> && std::is_same_v<TB, bf16>) {
          fail(ErrorCode::unavailable, "a product of ", a.dtype, " and ", b.dtype, " to ", c.dtype,
               " has no CUDA kernel");
        } else {
          const StoreMatrix<TC> store{
              c.as<TC>(), p.m, p.n, bias_of(p.bias ? bias : View{}), p.accumulate, p.activation};
          tiled_product(stream, operand(a.as<TA>(), p.m, p.k, p.transpose_a),
                        operand(b.as<TB>(), p.n, p.k, !p.transpose_b), store,
                        {p.batch, p.m, p.n, p.k}, workspace);
        }
      });
    });
  });
}

Bytes product_workspace(const Stream&, const Product& p, DType, DType, DType) {
  return tiled_product_workspace({p.batch, p.m, p.n, p.k});
}

const OnDevice<&framefold::product> path(product);
const OnDevice<&framefold::product_workspace> workspace_path(product_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold
