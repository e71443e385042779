#include "kernels/convert.h"

#include <gtest/gtest.h>

#include "kernels/philox.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"
#include "tests/simt/runtime.h"

namespace framefold::test {
namespace {

TEST(ConvertTypes, TiesGoToTheEvenNeighbour) {
  // bf16 has 8 bits of precision: 1 + 2^-8 lies between 1 and 1 + 2^-7.
  Array<> x{{5}, {1.00390625F, 1.01171875F, 1.004F, -3, 0}};
  for (const Stream& stream : each_path()) {
    Array<bf16> y{{5}, std::vector<bf16>(5)};
    convert(stream, y, x);
    Array<> back{{5}};
    convert(stream, back, y);
    const float expected[] = {1, 1.015625F, 1.0078125F, -3, 0};
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(static_cast<float>(y.values[i]), expected[i]) << i;
      EXPECT_EQ(back.values[i], expected[i]) << i;
    }
  }
}

void convert_on_device(Index size, Bytes skew) {
  const simt::DeviceMemory from(static_cast<Bytes>(size) * sizeof(float) + skew);
  const simt::DeviceMemory to(static_cast<Bytes>(size) * sizeof(bf16) + skew);
  const simt::DeviceMemory again(static_cast<Bytes>(size) * sizeof(float));
  auto* x = reinterpret_cast<float*>(static_cast<std::byte*>(from.data) + skew);
  auto* y = reinterpret_cast<bf16*>(static_cast<std::byte*>(to.data) + skew);
  auto* back = static_cast<float*>(again.data);
  for (Index i = 0; i < size; ++i) x[i] = Random{6, 6}.normal(static_cast<std::uint64_t>(i));
  {
    const simt::HostKeepsOut keeps_out;
    const Stream cuda{.device = Device::cuda(0)};
    convert(cuda, {y, DType::bf16, {size}}, {x, DType::f32, {size}});
    convert(cuda, {back, DType::f32, {size}}, {y, DType::bf16, {size}});
  }
  for (Index i = 0; i < size; ++i) {
    EXPECT_EQ(y[i].bits, bf16(x[i]).bits) << i;
    EXPECT_EQ(back[i], static_cast<float>(y[i])) << i;
  }
}

void convert_on_device() {
  for (const std::uint64_t schedule : {0, 1}) {
    simt::set_schedule(schedule);
    convert_on_device(1, 0);
    convert_on_device(2051, 0);  // two blocks and a tail
    convert_on_device(300, sizeof(float));
  }
}

const bool runs_kernels = (device_programs().push_back(convert_on_device), true);

TEST(ConvertTypesOnDevice, RoundsAsTheProcessor) {
  if (const std::string why = simt::why_no_device(); !why.empty()) GTEST_SKIP() << why;
  convert_on_device();
}

}  // namespace
}  // namespace framefold::test
