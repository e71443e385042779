// Bulk copies and mbarriers in a kernel, on the host's runtime and on a device.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/simt/ring.h"
#include "tests/simt/runtime.h"

namespace simt {
namespace {

TEST(RingOnDevice, AddsItsRows) {
  if (const std::string why = why_no_device(); !why.empty()) GTEST_SKIP() << why;
  if (!has_bulk_copies()) GTEST_SKIP() << "the device is older than sm_90";
  for (const std::uint64_t schedule : {0, 1, 2, 3, 4}) {
    set_schedule(schedule);
    for (const auto& [rows, columns] : {std::pair{1, 4}, {2, 128}, {7, 132}, {16, 256}}) {
      const DeviceMemory x(static_cast<std::size_t>(rows * columns) * sizeof(float));
      const DeviceMemory y(static_cast<std::size_t>(columns) * sizeof(float));
      auto* from = static_cast<float*>(x.data);
      std::iota(from, from + rows * columns, 1.0F);
      {
        const HostKeepsOut keeps_out;
        ring_sums({}, static_cast<float*>(y.data), from, rows, columns);
      }
      for (int c = 0; c < columns; ++c)
        EXPECT_EQ(static_cast<float*>(y.data)[c],
                  static_cast<float>(rows * (c + 1) + columns * rows * (rows - 1) / 2));
    }
  }
  set_schedule(0);
}

}  // namespace
}  // namespace simt
