// What a device does with numbers of rows and lengths that the processor would refuse: kernels read
// and write nothing that is not theirs. A row that is none is zeros, a length the nearest allowed.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/add_rows.h"
#include "kernels/attention.h"
#include "kernels/fold_tubelets.h"
#include "kernels/gather_rows.h"
#include "kernels/gather_tubelets.h"
#include "kernels/scatter_rows.h"
#include "kernels/tubelet_mse.h"
#include "tests/simt/runtime.h"

namespace framefold::test {
namespace {

// A tensor on the device, of exactly its size.
template <class T>
class Held {
 public:
  Held(const Shape& shape, const std::vector<T>& values)
      : memory_(values.size() * sizeof(T)), shape_(shape) {
    EXPECT_EQ(static_cast<std::size_t>(shape.size()), values.size());
    std::copy(values.begin(), values.end(), static_cast<T*>(memory_.data));
  }
  explicit Held(const Shape& shape, T value = {})
      : Held(shape, std::vector<T>(static_cast<std::size_t>(shape.size()), value)) {}
  operator Tensor() const { return {memory_.data, dtype_of<T>(), shape_}; }
  operator View() const { return {memory_.data, dtype_of<T>(), shape_}; }
  std::vector<T> values() const {
    const auto* from = static_cast<const T*>(memory_.data);
    return {from, from + shape_.size()};
  }

 private:
  simt::DeviceMemory memory_;
  Shape shape_;
};

using Floats = Held<float>;
using Numbers = Held<std::int32_t>;
using Bytes8 = Held<std::uint8_t>;

const Stream cuda{.device = Device::cuda(0)};

class WrongNumbersOnDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = simt::why_no_device(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(WrongNumbersOnDevice, GatherZeros) {
  const Floats x({1, 3, 2}, {1, 2, 3, 4, 5, 6});
  const Numbers index({1, 4}, {2, -1, 3, 0});
  const Floats y({1, 4, 2}, 7);
  const Floats dx({1, 3, 2}, 7);
  {
    const simt::HostKeepsOut keeps_out;
    gather_rows_forward(cuda, y, x, index);
    gather_rows_dgrad(cuda, dx, {}, y, index);
  }
  EXPECT_EQ(y.values(), (std::vector<float>{5, 6, 0, 0, 0, 0, 1, 2}));
  EXPECT_EQ(dx.values(), (std::vector<float>{1, 2, 0, 0, 5, 6}));
}

TEST_F(WrongNumbersOnDevice, ScatterNothing) {
  const Floats x({1, 3, 1}, {1, 2, 3});
  const Numbers index({1, 3}, {-1, 2, 4});
  const Numbers source({1, 4});
  const Floats token({1}, {9});
  const Floats y({1, 4, 1});
  {
    const simt::HostKeepsOut keeps_out;
    scatter_rows_forward(cuda, y, source, x, index, token);
  }
  EXPECT_EQ(y.values(), (std::vector<float>{9, 9, 2, 9}));
}

TEST_F(WrongNumbersOnDevice, AddNothing) {
  const Floats x({1, 2, 1}, {1, 2});
  const Floats table({2, 1}, {10, 20});
  const Numbers index({1, 2}, {-1, 1});
  const Numbers masked({1, 2}, {2, 0});
  const Floats token({1}, {5});
  const Floats y({1, 4, 1});
  const Floats dtable({2, 1});
  {
    const simt::HostKeepsOut keeps_out;
    add_rows_forward(cuda, y, x, table, index, masked, token);
    add_rows_wgrad_table(cuda, dtable, y, index, masked);
  }
  EXPECT_EQ(y.values(), (std::vector<float>{1, 22, 5, 15}));
  EXPECT_EQ(dtable.values(), (std::vector<float>{15, 22}));
}

// A clip of two tubelets of two pixels.
TEST_F(WrongNumbersOnDevice, CutZerosAndLoseNothing) {
  const Bytes8 clip({1, 1, 1, 4, 1}, {51, 102, 153, 204});
  const Numbers index({1, 3}, {2, -1, 1});
  const Floats cut({1, 3, 2}, 7);
  const Floats loss({1});
  const Floats scales({1, 3, 2, 1});
  const Floats dx({1, 3, 2}, 7);
  const Floats dy({1}, {3});
  const simt::DeviceMemory space(256);
  const TubeletMse mse{.tubelet = {1, 1, 2}, .normalize = false};
  {
    const simt::HostKeepsOut keeps_out;
    gather_tubelets(cuda, mse.tubelet, {}, cut, clip, index);
    tubelet_mse_forward(cuda, mse, loss, scales, Workspace(space.data, 256), dx, clip, index);
    tubelet_mse_dgrad(cuda, mse, dx, dy, dx, clip, index, scales);
  }
  const std::vector<float> pixels = cut.values();
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(pixels[i], 0) << i;
  EXPECT_FLOAT_EQ(pixels[4], 0.6F);
  EXPECT_FLOAT_EQ(pixels[5], 0.8F);
  EXPECT_FLOAT_EQ(loss.values()[0], (6.4F * 6.4F + 6.2F * 6.2F) / 6);
  const std::vector<float> gradient = dx.values();
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(gradient[i], 0) << i;
  EXPECT_FLOAT_EQ(gradient[4], 6.4F);
  EXPECT_FLOAT_EQ(gradient[5], 6.2F);
}

TEST_F(WrongNumbersOnDevice, FoldIntoTheClipAlone) {
  const Bytes8 clip({1, 1, 1, 4, 1}, {51, 102, 153, 204});
  const Numbers index({1, 4}, {1, -1, 1, 2});  // of equal numbers the last one stands
  const Floats x({1, 4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Floats y({1, 1, 1, 4, 1});
  {
    const simt::HostKeepsOut keeps_out;
    fold_tubelets(cuda, {.tubelet = {1, 1, 2}, .normalize = false}, y, x, clip, index);
  }
  const float expected[] = {0.2F, 0.4F, 5, 6};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(y.values()[i], expected[i]) << i;
}

TEST_F(WrongNumbersOnDevice, AttendWithinTheTokens) {
  const Index tokens = 5;
  std::vector<float> values(2 * 5 * 12);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3;
  const Floats qkv({2, tokens, 12}, values);
  const Numbers wrong({2}, {-4, 9});
  const Numbers nearest({2}, {0, 5});
  std::vector<std::vector<float>> results;
  for (const Numbers* lengths : {&wrong, &nearest}) {
    const Floats y({2, tokens, 4});
    const Floats lse({2, 1, tokens});
    const Floats dqkv({2, tokens, 12});
    const simt::DeviceMemory space(256);
    {
      const simt::HostKeepsOut keeps_out;
      attention_forward(cuda, {}, y, lse, {}, qkv, *lengths);
      attention_dgrad(cuda, {}, dqkv, Workspace(space.data, 256), y, qkv, y, lse, *lengths);
    }
    results.push_back(y.values());
    results.push_back(dqkv.values());
  }
  EXPECT_EQ(results[0], results[2]);
  EXPECT_EQ(results[1], results[3]);
}

}  // namespace
}  // namespace framefold::test
