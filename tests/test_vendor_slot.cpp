// A device's function with a vendor's path beside it, both of the test's own.
#include <gtest/gtest.h>

#include "engine/ops.h"
#include "kernels/device.h"
#include "kernels/lstm.h"

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

// Where the vendor keeps a record between the LSTM's directions, the plan has room for it.
TEST(VendorSlot, TheLstmSavesWhatTheVendorAsksFor) {
  Graph graph;
  const Value x = graph.input("x", {DType::f32, {2, 3, 4}});
  lstm(graph, x,
       {graph.input("wx", {DType::f32, {4, 20}}),
        graph.input("wh", {DType::f32, {5, 20}}),
        graph.input("bias", {DType::f32, {20}}),
        {}},
       {}, {});
  const Graph::Node& node = graph.nodes().back();
  Types in, out;
  for (const Value value : node.in) in.push_back(graph.type(value));
  for (const Value value : node.out) out.push_back(graph.type(value));
  auto& launcher = OnVendor<&lstm_reserve>::launcher;
  const auto kept = launcher;
  launcher = [](const Stream&, const TensorType& type, Index hidden, bool, bool) {
    return static_cast<Bytes>(type.shape[1] * hidden);
  };
  const Device gpu = Device::cuda(0);
  for (const Path path : {Path::automatic, Path::native, Path::vendor}) {
    const Stream stream{.device = gpu, .path = path};
    const Types saved = node.op->needs(stream, in, out).saved;
    ASSERT_EQ(saved.size(), path == Path::vendor ? 3U : 2U);
    if (path == Path::vendor) {
      EXPECT_EQ(saved[2], (TensorType{DType::u8, {15}}));
    }
    EXPECT_TRUE(node.op->vendor_attributes(stream, in).has_value());
  }
  EXPECT_TRUE(node.op->one_path_both_ways());
  launcher = kept;
  EXPECT_EQ(node.op->vendor_attributes({.device = gpu, .path = Path::vendor}, in).has_value(),
            kept != nullptr);
}

}  // namespace
}  // namespace framefold
