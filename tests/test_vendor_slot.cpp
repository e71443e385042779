// A device's function with a vendor's path beside it, both of the test's own.
#include <gtest/gtest.h>

#include "kernels/device.h"

namespace framefold {
namespace {

void compute(const Stream& stream, int operand, int* by);
Bytes space(const Stream& stream, int operand);
bool has(const Stream& stream, int operand);

constexpr int ours = 1, vendors = 2;

const OnDevice<&compute> compute_path([](const Stream&, int, int* by) { *by = ours; });
const OnDevice<&space> space_path([](const Stream&, int) { return Bytes{64}; });
// The vendor knows positive operands.
const OnVendor<&compute> vendor_compute([](const Stream&, int operand, int* by) {
  if (operand > 0) *by = vendors;
  return operand > 0;
});
const OnVendor<&space> vendor_space([](const Stream&, int operand) {
  return operand > 0 ? static_cast<Bytes>(operand) : 0;
});
const OnVendor<&has> vendor_question([](const Stream&, int operand) { return operand > 0; });

void compute(const Stream& stream, int operand, int* by) { device<&compute>(stream, operand, by); }
Bytes space(const Stream& stream, int operand) { return device<&space>(stream, operand); }
bool has(const Stream& stream, int operand) { return vendor_has<&has>(stream, operand); }

TEST(VendorSlot, RunsWhereItIsWantedAndAble) {
  for (const Path path : {Path::automatic, Path::reference, Path::native, Path::vendor}) {
    const Stream stream{.device = Device::cuda(0), .path = path};
    for (const int operand : {-1, 100}) {
      int by = 0;
      compute(stream, operand, &by);
      EXPECT_EQ(by, path == Path::vendor && operand > 0 ? vendors : ours);
    }
  }
}

TEST(VendorSlot, AWorkspaceFitsBoth) {
  const Stream vendor{.device = Device::cuda(0), .path = Path::vendor};
  EXPECT_EQ(space(vendor, 100), 100U);
  EXPECT_EQ(space(vendor, 10), 64U);
  EXPECT_EQ(space(vendor, -1), 64U);
  EXPECT_EQ(space({.device = Device::cuda(0)}, 100), 64U);
}

TEST(VendorSlot, AnswersWhetherThereIsAPath) {
  EXPECT_TRUE(has({.device = Device::cuda(0)}, 1));
  EXPECT_FALSE(has({.device = Device::cuda(0)}, -1));
}

}  // namespace
}  // namespace framefold
