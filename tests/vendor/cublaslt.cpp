// The library takes the descriptors that products make. It names no algorithm without a GPU.
#include "kernels/matmul_cublaslt.cpp"

#include <gtest/gtest.h>

namespace framefold::gpu {
namespace {

TEST(CublasLt, TakesEveryDescriptor) {
  if (!lt().library) GTEST_SKIP() << "libcublasLt is not here";
  EXPECT_FALSE(cublaslt_version().empty());
  EXPECT_NO_THROW(preferred());
  for (const DType operand : {DType::f32, DType::bf16})
    for (const DType c : {DType::f32, DType::bf16})
      for (const bool transposed : {false, true})
        for (const bool bias : {false, true})
          for (const Activation activation : {Activation::none, Activation::relu}) {
            const Product p{.batch = 2,
                            .m = 24,
                            .n = 40,
                            .k = 16,
                            .transpose_a = transposed,
                            .transpose_b = !transposed,
                            .bias = bias,
                            .activation = activation};
            if (!library_supports(p, c, operand, operand)) continue;
            const Plan plan = described(p, c, operand);
            std::uint64_t rows = 0;
            std::size_t written = 0;
            const auto get =
                reinterpret_cast<decltype(&::cublasLtMatrixLayoutGetAttribute)>(::dlsym(
                    ::dlopen("libcublasLt.so.13", RTLD_NOW), "cublasLtMatrixLayoutGetAttribute"));
            ASSERT_NE(get, nullptr);
            ASSERT_EQ(get(plan.a, CUBLASLT_MATRIX_LAYOUT_ROWS, &rows, sizeof rows, &written),
                      CUBLAS_STATUS_SUCCESS);
            EXPECT_EQ(rows, transposed ? 40U : 16U);
          }
}

}  // namespace
}  // namespace framefold::gpu
