// cuDNN takes the descriptors of the LSTM. Sizes and weights' places it names on a GPU alone.
#include "kernels/lstm_cudnn.cpp"

#include <gtest/gtest.h>

namespace framefold::gpu {
namespace {

TEST(CudnnLstm, TakesEveryDescriptor) {
  if (!rnn().library) GTEST_SKIP() << "libcudnn is not here";
  cudnnDropoutDescriptor_t dropout = nullptr;
  FRAMEFOLD_RNN(cudnnCreateDropoutDescriptor, &dropout);
  for (const DType type : {DType::f32, DType::bf16}) {
    const Sequence s({type, {3, 5, 12}}, 16);
    Descriptors made;
    ASSERT_NO_THROW(made = describe(s, dropout)) << type;
    EXPECT_NE(made.rnn, nullptr);
  }
}

TEST(CudnnLstm, ProductsHaveAFixedOrderFromTheFirstHandleOn) {
  (void)dnn();
  const char* said = std::getenv("CUBLAS_WORKSPACE_CONFIG");  // NOLINT(concurrency-mt-unsafe)
  ASSERT_NE(said, nullptr);
  EXPECT_STREQ(said, ":4096:8");
}

TEST(CudnnLstm, RefusesWhatTheLibraryHasNot) {
  const TensorType x{DType::f32, {3, 5, 12}};
  EXPECT_TRUE(library_supports(x, 16, false, false));
  EXPECT_TRUE(library_supports({DType::bf16, x.shape}, 16, false, false));
  EXPECT_FALSE(library_supports(x, 16, true, false));  // peepholes
  EXPECT_FALSE(library_supports(x, 16, false, true));  // lengths
  EXPECT_FALSE(library_supports({DType::f64, x.shape}, 16, false, false));
  EXPECT_FALSE(library_supports({DType::f32, {3, 5, 0}}, 16, false, false));
}

}  // namespace
}  // namespace framefold::gpu
