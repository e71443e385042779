// A build without CUDA kernels that is given a device: a sentence, not another processor's result.
#include "kernels/device.h"

#include <gtest/gtest.h>

#include "kernels/softmax.h"

namespace framefold {
namespace {

TEST(Device, ABuildWithoutKernelsRefusesIt) {
  const Stream cuda{.device = Device::cuda(0)};
  auto& launcher = OnDevice<&softmax_forward>::launcher;
  const auto kept = launcher;
  launcher = nullptr;
  float x[2] = {1, 2};
  try {
    softmax_forward(cuda, {x, DType::f32, {1, 2}}, {x, DType::f32, {1, 2}});
    ADD_FAILURE() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_STREQ(error.what(),
                 "softmax_forward: this build has no CUDA kernel; build with `cmake --preset "
                 "cuda`, or take the device cpu");
  }
  launcher = kept;
  EXPECT_EQ(x[0], 1);
  EXPECT_EQ(x[1], 2);
}

}  // namespace
}  // namespace framefold
