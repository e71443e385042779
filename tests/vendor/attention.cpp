// cuDNN recognises the graphs of attention and makes its plans for a described H100. Nothing is
// executed.
#include "kernels/attention_cudnn.cpp"

#include <gtest/gtest.h>

#include "tests/vendor/described_gpu.h"

namespace framefold::gpu {
namespace {

CudnnPlan plan_for(const Kind& kind, Index tokens, Index depth) {
  Descriptor gpu = described(h100);
  return make({nullptr, &gpu}, kind, {{.heads = 3}, Shape{2, tokens, 3 * 3 * depth}});
}

TEST(CudnnAttention, MakesPlansForADescribedGpu) {
  if (!dnn().library) GTEST_SKIP() << "libcudnn is not here";
  for (const auto& [causal, lengths] :
       {std::pair{false, false}, {true, false}, {false, true}, {true, true}})
    for (const auto& [tokens, depth] : {std::pair<Index, Index>{1568, 64}, {100, 24}}) {
      const CudnnPlan forward = plan_for({false, causal, lengths}, tokens, depth);
      const CudnnPlan backward = plan_for({true, causal, lengths}, tokens, depth);
      ASSERT_TRUE(forward.plan && backward.plan) << tokens << " tokens, depth " << depth;
      // Scores never stand in memory forward; backward, once in bf16.
      EXPECT_LT(forward.workspace, Bytes{4096});
      const auto pairs = static_cast<Bytes>(2 * 3 * tokens * tokens);
      EXPECT_GE(backward.workspace, 2 * pairs);
      EXPECT_LE(backward.workspace,
                2 * static_cast<Bytes>(2 * 3 * (tokens + 127) * (tokens + 127)) + 4096);
    }
}

TEST(CudnnAttention, HasNothingForHeadsThatAreTooDeep) {
  if (!dnn().library) GTEST_SKIP() << "libcudnn is not here";
  EXPECT_FALSE(plan_for({true, false, false}, 100, 520).plan.has_value());
}

}  // namespace
}  // namespace framefold::gpu
