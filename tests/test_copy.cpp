// Rows within a sample's length: what stands past it, NaN too, becomes zero.
#include "kernels/copy.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/arrays.h"
#include "tests/op_cases.h"
#include "tests/simt/runtime.h"

namespace framefold::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

TEST(CopyWithin, KeepsWhatStandsBeforeTheLength) {
  const Array<> x{{3, 2, 2}, {1, 2, nan, nan, nan, nan, nan, nan, 5, 6, 7, 8}};
  const Array<std::int32_t> lengths{{3}, {1, 0, 2}};
  const std::vector<float> expected = {1, 2, 0, 0, 0, 0, 0, 0, 5, 6, 7, 8};
  for (const Stream& stream : each_path()) {
    Array<> y{{3, 2, 2}};
    copy_within(stream, y, x, lengths);
    EXPECT_EQ(y.values, expected);
    Array<> same = x;
    copy_within(stream, same, same, lengths);
    EXPECT_EQ(same.values, expected);
  }
}

// A length belongs to a sample, whatever stands between it and the rows.
TEST(CopyWithin, RowsOfSeveralHeads) {
  const Array<> x{{2, 2, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  const Array<std::int32_t> lengths{{2}, {2, 1}};
  Array<> y{{2, 2, 3, 1}};
  copy_within({}, y, x, lengths);
  EXPECT_EQ(y.values, (std::vector<float>{1, 2, 0, 4, 5, 0, 7, 0, 0, 10, 0, 0}));
}

// [2, heads, rows, width], of lengths 3 and beyond the rows.
template <class T>
void copy_on_device(Index heads, Index rows, Index width) {
  const Shape shape{2, heads, rows, width};
  const auto bytes = static_cast<Bytes>(shape.size()) * sizeof(T);
  const simt::DeviceMemory from(bytes), to(bytes), of_lengths(2 * sizeof(std::int32_t));
  auto* x = static_cast<T*>(from.data);
  auto* y = static_cast<T*>(to.data);
  for (Index i = 0; i < shape.size(); ++i) x[i] = T(static_cast<float>(i % 50 + 1));
  auto* lengths = static_cast<std::int32_t*>(of_lengths.data);
  lengths[0] = 3;
  lengths[1] = static_cast<std::int32_t>(rows) + 5;
  {
    const simt::HostKeepsOut keeps_out;
    const Stream cuda{.device = Device::cuda(0)};
    copy_within(cuda, {y, dtype_of<T>(), shape}, {x, dtype_of<T>(), shape},
                {lengths, DType::i32, {2}});
    copy_within(cuda, {x, dtype_of<T>(), shape}, {x, dtype_of<T>(), shape},
                {lengths, DType::i32, {2}});
  }
  for (Index i = 0; i < shape.size(); ++i) {
    const Index row = i / width % rows;
    const bool kept = row < 3 || i >= shape.size() / 2;
    EXPECT_EQ(static_cast<float>(y[i]), kept ? static_cast<float>(i % 50 + 1) : 0) << i;
    EXPECT_EQ(static_cast<float>(x[i]), static_cast<float>(y[i])) << i;
  }
}

void copy_on_device() {
  for (const std::uint64_t schedule : {0, 1}) {
    simt::set_schedule(schedule);
    copy_on_device<bf16>(1, 7, 24);  // 16 bytes at once
    copy_on_device<float>(3, 100, 1);
    copy_on_device<bf16>(2, 5, 3);
    copy_on_device<std::uint8_t>(1, 4, 3);
  }
}

const bool runs_kernels = (device_programs().push_back(copy_on_device), true);

TEST(CopyWithinOnDevice, KeepsWhatStandsBeforeTheLength) {
  if (const std::string why = simt::why_no_device(); !why.empty()) GTEST_SKIP() << why;
  copy_on_device();
}

}  // namespace
}  // namespace framefold::test
