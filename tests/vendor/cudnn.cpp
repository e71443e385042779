// cuDNN makes its plans for an H100 that is described, not present: so graphs, engines and the
// rules that leave engines out are the library's own word. Nothing is executed.
#include "kernels/convolution_cudnn.cpp"

#include <gtest/gtest.h>

#include "tests/vendor/described_gpu.h"

namespace framefold::gpu {
namespace {

Convolution convolution(Index frames, Index fine, Index coarse, Index groups, Index stride) {
  Convolution c{.batch = 2,
                .groups = groups,
                .fine = {frames, 16, 16},
                .kernel = {frames == 1 ? 1 : 3, 3, 3},
                .stride = {1, stride, stride},
                .padding = {frames == 1 ? 0 : 1, 1, 1},
                .dilation = {1, 1, 1},
                .fine_channels = fine,
                .coarse_channels = coarse,
                .activation = Activation::none};
  for (std::size_t a = 0; a < 3; ++a)
    c.coarse[a] = (c.fine[a] + 2 * c.padding[a] - c.kernel[a]) / c.stride[a] + 1;
  return c;
}

TEST(Cudnn, MakesPlansForADescribedGpu) {
  if (!dnn().library) GTEST_SKIP() << "libcudnn is not here";
  Descriptor gpu = described(h100);
  for (const Index frames : {1, 4})
    for (const Index groups : {1, 2})
      for (const Index stride : {1, 2})
        for (const DType type : {DType::f32, DType::bf16})
          for (const Sum sum : {Sum::coarse, Sum::fine, Sum::weight}) {
            const Convolution c = convolution(frames, 16, 32, groups, stride);
            const CudnnPlan plan = make({nullptr, &gpu}, sum, c, type);
            EXPECT_TRUE(plan.plan.has_value())
                << frames << " frames, " << groups << " groups, stride " << stride << ", " << type
                << ", sum " << static_cast<int>(sum);
          }
}

}  // namespace
}  // namespace framefold::gpu
