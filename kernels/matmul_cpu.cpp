#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/epilogue.h"
#include "kernels/matmul.h"

namespace framefold {
namespace {

template <class TC, class TA, class TB>
void reference(const Stream& stream, const Product& p, TC* c, const TA* a, const TB* b, View bias) {
  using A = Accumulator<TC>;
  parallel_for(stream, p.batch * p.m, 1, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const Index g = row / p.m;
      const Index i = row % p.m;
      const TA* ag = a + g * p.m * p.k;
      const TB* bg = b + g * p.k * p.n;
      for (Index j = 0; j < p.n; ++j) {
        A sum = 0;
        for (Index k = 0; k < p.k; ++k)
          sum += static_cast<A>(ag[p.transpose_a ? k * p.m + i : i * p.k + k]) *
                 static_cast<A>(bg[p.transpose_b ? j * p.k + k : k * p.n + j]);
        if (p.bias)
          sum += bias.dtype == DType::bf16 ? static_cast<A>(bias.as<bf16>()[j]) : bias.as<A>()[j];
        TC& out = c[row * p.n + j];
        if (p.accumulate) sum += static_cast<A>(out);
        out = TC(activate(p.activation, sum));
      }
    }
  });
}

// The product that op(A) [m, k] op(B) [k, n] of these operands is, with leading axes as rows where
// b is one matrix for all of them.
Product shape_of(MatMul matmul, const Shape& a, const Shape& b) {
  Product p{.m = a[matmul.transpose_a ? -1 : -2],
            .n = b[matmul.transpose_b ? -2 : -1],
            .k = a[matmul.transpose_a ? -2 : -1],
            .transpose_a = matmul.transpose_a,
            .transpose_b = matmul.transpose_b,
            .activation = matmul.activation};
  for (int axis = 0; axis < a.rank() - 2; ++axis) p.batch *= a[axis];
  if (b.rank() == 2 && !p.transpose_a) {
    p.m *= p.batch;
    p.batch = 1;
  }
  return p;
}

// dA = dz op(B)^T, or where A is stored transposed dA^T = op(B) dz^T; dB likewise.
Product dgrad_a(const Product& p) {
  if (p.transpose_a)
    return {.batch = p.batch,
            .m = p.k,
            .n = p.m,
            .k = p.n,
            .transpose_a = p.transpose_b,
            .transpose_b = true};
  return {.batch = p.batch, .m = p.m, .n = p.k, .k = p.n, .transpose_b = !p.transpose_b};
}

Product dgrad_b(const Product& p) {
  if (p.transpose_b)
    return {.batch = p.batch,
            .m = p.n,
            .n = p.k,
            .k = p.m,
            .transpose_a = true,
            .transpose_b = p.transpose_a};
  return {.batch = p.batch, .m = p.k, .n = p.n, .k = p.m, .transpose_a = !p.transpose_a};
}

}  // namespace

TensorType matmul_type(std::string_view op, MatMul matmul, const TensorType& a,
                       const TensorType& b) {
  expect_fusible(op, matmul.activation);
  expect_float(op, "a", a.dtype);
  expect_rank(op, "a", a.shape, 2, matmul.transpose_a ? "[..., K, M]" : "[..., M, K]");
  expect_rank(op, "b", b.shape, 2, matmul.transpose_b ? "[..., N, K]" : "[..., K, N]");
  if (b.dtype != a.dtype && !(a.dtype == DType::bf16 && b.dtype == DType::f32))
    fail(ErrorCode::shape, op, ": b is ", b, ", expected the type of a ", a);

  const Index k = a.shape[matmul.transpose_a ? -2 : -1];
  Shape fitting = a.shape;
  if (b.shape.rank() == 2 && !matmul.transpose_a) fitting = b.shape;
  const bool ranks = b.shape.rank() == fitting.rank();
  if (ranks) {
    fitting[-1] = matmul.transpose_b ? k : b.shape[-1];
    fitting[-2] = matmul.transpose_b ? b.shape[-2] : k;
  }
  if (!ranks || !(b.shape == fitting))
    fail(ErrorCode::shape, op, ": b is ", b, ", expected ",
         matmul.transpose_b ? "[..., N, " : "[..., ", k, matmul.transpose_b ? "]" : ", N]",
         " with the leading axes of a ", a, matmul.transpose_a ? ", transposed" : "");

  TensorType c = a;
  c.shape[-2] = a.shape[matmul.transpose_a ? -1 : -2];
  c.shape[-1] = b.shape[matmul.transpose_b ? -2 : -1];
  return c;
}

#ifndef FRAMEFOLD_ONEDNN
bool vendor::supports(const Product&, DType, DType, DType) { return false; }
bool vendor::product(const Stream&, const Product&, Tensor, Workspace, View, View, View) {
  return false;
}
Bytes vendor::product_workspace(const Stream&, const Product&, DType, DType, DType) { return 0; }
#endif

void product(const Stream& stream, const Product& shape, Tensor c, Workspace workspace, View a,
             View b, View bias) {
  if (on_device(stream)) return device<&product>(stream, shape, c, workspace, a, b, bias);
  if (vendor::product(stream, shape, c, workspace, a, b, bias)) return;
  if (fast::product(stream, shape, c, workspace, a, b, bias)) return;
  for_float(c.dtype, [&]<class TC>(TC) {
    for_float(a.dtype, [&]<class TA>(TA) {
      for_float(b.dtype, [&]<class TB>(TB) {
        constexpr bool wide = std::is_same_v<TC, double>;
        if constexpr (wide == std::is_same_v<TA, double> && wide == std::is_same_v<TB, double>)
          reference<TC, TA, TB>(stream, shape, c.as<TC>(), a.as<TA>(), b.as<TB>(), bias);
        else
          fail_dtype(b.dtype, c.dtype);
      });
    });
  });
}

Bytes product_workspace(const Stream& stream, const Product& shape, DType c, DType a, DType b) {
  if (on_device(stream)) return device<&product_workspace>(stream, shape, c, a, b);
  return std::max(vendor::product_workspace(stream, shape, c, a, b),
                  fast::product_workspace(stream, shape, c, a, b));
}

bool product_has_vendor(const Stream& stream, const Product& shape, DType c, DType a, DType b) {
  if (on_device(stream)) return vendor_has<&product_has_vendor>(stream, shape, c, a, b);
  return vendor::supports(shape, c, a, b);
}

void matmul_forward(const Stream& stream, MatMul matmul, Tensor c, Workspace workspace, View a,
                    View b, View bias) {
  Product p = shape_of(matmul, a.shape, b.shape);
  p.bias = static_cast<bool>(bias);
  product(stream, p, c, workspace, a, b, bias);
}

Bytes matmul_forward_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                               const TensorType& b, bool bias) {
  Product p = shape_of(matmul, a.shape, b.shape);
  p.bias = bias;
  return product_workspace(stream, p, a.dtype, a.dtype, b.dtype);
}

bool matmul_has_vendor(const Stream& stream, MatMul matmul, const TensorType& a,
                       const TensorType& b, bool bias) {
  Product p = shape_of(matmul, a.shape, b.shape);
  p.bias = bias;
  return product_has_vendor(stream, p, a.dtype, a.dtype, b.dtype);
}

void matmul_dgrad_a(const Stream& stream, MatMul matmul, Tensor da, Workspace workspace, View dz,
                    View b) {
  const Product p = dgrad_a(shape_of(matmul, da.shape, b.shape));
  if (matmul.transpose_a)
    product(stream, p, da, workspace, b, dz, {});
  else
    product(stream, p, da, workspace, dz, b, {});
}

Bytes matmul_dgrad_a_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                               const TensorType& b) {
  const Product p = dgrad_a(shape_of(matmul, a.shape, b.shape));
  return matmul.transpose_a ? product_workspace(stream, p, a.dtype, b.dtype, a.dtype)
                            : product_workspace(stream, p, a.dtype, a.dtype, b.dtype);
}

namespace {

void dgrad_b(const Stream& stream, MatMul matmul, bool accumulate, Tensor db, Workspace workspace,
             View dz, View a) {
  Product p = dgrad_b(shape_of(matmul, a.shape, db.shape));
  p.accumulate = accumulate;
  if (matmul.transpose_b)
    product(stream, p, db, workspace, dz, a, {});
  else
    product(stream, p, db, workspace, a, dz, {});
}

}  // namespace

void matmul_dgrad_b(const Stream& stream, MatMul matmul, Tensor db, Workspace workspace, View dz,
                    View a) {
  dgrad_b(stream, matmul, false, db, workspace, dz, a);
}

void matmul_wgrad(const Stream& stream, MatMul matmul, Tensor db, Workspace workspace, View dz,
                  View a) {
  dgrad_b(stream, matmul, true, db, workspace, dz, a);
}

Bytes matmul_dgrad_b_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                               const TensorType& b) {
  return product_workspace(stream, dgrad_b(shape_of(matmul, a.shape, b.shape)), b.dtype, a.dtype,
                           a.dtype);
}

Bytes matmul_wgrad_workspace(const Stream& stream, MatMul matmul, const TensorType& a,
                             const TensorType& b) {
  Product p = dgrad_b(shape_of(matmul, a.shape, b.shape));
  p.accumulate = true;
  return product_workspace(stream, p, b.dtype, a.dtype, a.dtype);
}

}  // namespace framefold
