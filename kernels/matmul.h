// Matrix product, batched, with bias and activation.
//
//   C = activation(op(A) op(B) + bias)       op transposes the last two axes where asked
//
//   a      [..., M, K]  ([..., K, M] where transpose_a)
//   b      [..., K, N]  ([..., N, K] where transpose_b); its leading axes are a's
//   c      [..., M, N]
//   bias   [N], or a View without data for none
//
// Where b has two axes and a is not transposed, a's leading axes are rows (one product, B read
// once): the fully connected layer, with b its weight [in, out]. That layout reads forward and
// sums the weight's gradient row by row; published weights [out, in] are transposed on loading.
//
// Backward, with dz = dc * activation'(c) (epilogue_backward, which also sums the bias gradient):
//   matmul_dgrad_a   da  = op^-1(dz op(B)^T)     reads dz, b
//   matmul_dgrad_b   db  = op^-1(op(A)^T dz)     reads dz, a; b an activation
//   matmul_wgrad     db += op^-1(op(A)^T dz)     reads dz, a; b a parameter
//
// f32, bf16 or f64; in a bf16 product b and bias may be f32 (parameters). Sums are f32 (f64 in
// f64). Any extent >= 0; K = 0 gives activation(bias). Activations whose derivative comes from
// the output only. The order of summation depends on the extents, the processor and the number of
// threads; never on timing.
#pragma once

#include <string_view>

#include "kernels/activation.h"
#include "kernels/stream.h"

namespace framefold {

struct MatMul {
  bool transpose_a = false;
  bool transpose_b = false;
  Activation activation = Activation::none;
};

void matmul_forward(const Stream& stream, MatMul matmul, Tensor c, Workspace workspace, View a,
                    View b, View bias);
void matmul_dgrad_a(const Stream& stream, MatMul matmul, Tensor da, Workspace workspace, View dz,
                    View b);
void matmul_dgrad_b(const Stream& stream, MatMul matmul, Tensor db, Workspace workspace, View dz,
                    View a);
void matmul_wgrad(const Stream& stream, MatMul matmul, Tensor db, Workspace workspace, View dz,
                  View a);

// Workspaces, in bytes, from the types of a and b.
Bytes matmul_forward_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                               const TensorType& b, bool bias);
Bytes matmul_dgrad_a_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                               const TensorType& b);
Bytes matmul_dgrad_b_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                               const TensorType& b);
Bytes matmul_wgrad_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                             const TensorType& b);

// Whether the forward product has a vendor's path beside ours.
bool matmul_has_vendor(const Stream& stream, MatMul matmul, const TensorType& a,
                       const TensorType& b, bool bias);

// c's type, or an Error that names `op`, the operand and what was expected of it.
TensorType matmul_type(std::string_view op, MatMul matmul, const TensorType& a,
                       const TensorType& b);

// What all of the above become, and all that the paths implement: `batch` products of contiguous
// matrices, c[g] [m, n] = or += op(a[g]) op(b[g]) + bias, then the activation.
struct Product {
  Index batch = 1, m = 0, n = 0, k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  bool bias = false;
  bool accumulate = false;
  Activation activation = Activation::none;
};

void product(const Stream& stream, const Product& shape, Tensor c, Workspace workspace, View a,
             View b, View bias);
Bytes product_workspace(const Stream& stream, const Product& shape, DType c, DType a, DType b);
// Whether the device's vendor has a path for it.
bool product_has_vendor(const Stream& stream, const Product& shape, DType c, DType a, DType b);

// Our micro-kernel; bf16 operands are widened in the workspace. False for f64.
namespace fast {
bool product(const Stream& stream, const Product& shape, Tensor c, Workspace workspace, View a,
             View b, View bias);
Bytes product_workspace(const Stream& stream, const Product& shape, DType c, DType a, DType b);
}  // namespace fast

// oneDNN, f32, where it alone is wanted: our own kernel is the faster one.
namespace vendor {
bool supports(const Product& shape, DType c, DType a, DType b);
bool product(const Stream& stream, const Product& shape, Tensor c, Workspace workspace, View a,
             View b, View bias);
Bytes product_workspace(const Stream& stream, const Product& shape, DType c, DType a, DType b);
}  // namespace vendor

}  // namespace framefold
