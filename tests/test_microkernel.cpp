#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/microkernel.h"
#include "kernels/philox.h"

namespace framefold {
namespace {

std::vector<float> draw(Index count, std::uint64_t stream) {
  const Random random{.seed = 5, .stream = stream};
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

// One tile against sums in double. Around the tile stands a frame that must stay as it was.
void check_tile(const MicroKernel& kernel, int rows, int cols, Index segments, Index depth,
                Index a_step, bool bias, bool accumulate) {
  const Index b_step = cols + 3;
  const Index ldc = cols + 2;
  const auto a_data = draw(segments * rows * (depth * a_step + 1), 1);
  const auto b_data = draw(segments * std::max<Index>(1, depth) * b_step, 2);
  const auto bias_data = draw(cols, 3);
  const auto before = draw((rows + 1) * ldc, 4);
  auto c = before;

  std::vector<const float*> a, b;
  for (Index i = 0; i < segments * rows; ++i) a.push_back(a_data.data() + i * (depth * a_step + 1));
  for (Index s = 0; s < segments; ++s) b.push_back(b_data.data() + s * depth * b_step);
  kernel.run(rows, cols,
             {.a = a.data(),
              .b = b.data(),
              .segments = segments,
              .depth = depth,
              .a_step = a_step,
              .b_step = b_step,
              .c = c.data(),
              .ldc = ldc,
              .bias = bias ? bias_data.data() : nullptr,
              .accumulate = accumulate});

  for (Index i = 0; i < rows + 1; ++i)
    for (Index n = 0; n < ldc; ++n) {
      const auto at = static_cast<std::size_t>(i * ldc + n);
      if (i >= rows || n >= cols) {
        ASSERT_EQ(c[at], before[at]) << "outside the tile, row " << i << " column " << n;
        continue;
      }
      double sum = (accumulate ? before[at] : 0.0) +
                   (bias ? double{bias_data[static_cast<std::size_t>(n)]} : 0.0);
      double size = 1;
      for (Index s = 0; s < segments; ++s)
        for (Index k = 0; k < depth; ++k) {
          const double term = double{a[static_cast<std::size_t>(s * rows + i)][k * a_step]} *
                              double{b[static_cast<std::size_t>(s)][k * b_step + n]};
          sum += term;
          size += std::fabs(term);
        }
      ASSERT_NEAR(c[at], sum, size * 1e-6)
          << kernel.name << ' ' << rows << 'x' << cols << " row " << i << " column " << n;
    }
}

TEST(Microkernel, EveryTileOfEveryVariant) {
  for (const MicroKernel& kernel : micro_kernels()) {
    ASSERT_LE(kernel.rows, micro_rows_max);
    ASSERT_LE(kernel.cols, micro_cols_max);
    for (int rows = 1; rows <= kernel.rows; ++rows)
      for (int cols = 1; cols <= kernel.cols; ++cols) {
        check_tile(kernel, rows, cols, 1, 17, 1, false, false);
        check_tile(kernel, rows, cols, 3, 5, 2, true, true);
      }
    ASSERT_LE(kernel.wide_cols, micro_cols_max);
    for (int rows = 1; rows <= kernel.low_rows; ++rows)
      for (int cols = kernel.cols + 1; cols <= kernel.wide_cols; ++cols) {
        check_tile(kernel, rows, cols, 1, 17, 1, false, true);
        check_tile(kernel, rows, cols, 3, 3, 2, true, false);
      }
    check_tile(kernel, kernel.rows, kernel.cols, 27, 16, 1, true, false);
    check_tile(kernel, kernel.rows, kernel.cols, 1, 1, 7, false, true);
    check_tile(kernel, 1, 1, 0, 4, 1, true, false);
    check_tile(kernel, 2, 3, 2, 0, 1, true, true);
  }
}

TEST(Microkernel, HandComputed) {
  // Two segments of depth 2: [1 2] [3 4; 5 6] + [7 8] [1 0; 0 1] + bias [100 200].
  const float a0[] = {1, 2}, a1[] = {7, 8}, b0[] = {3, 4, 5, 6}, b1[] = {1, 0, 0, 1};
  const float bias[] = {100, 200};
  const float* a[] = {a0, a1};
  const float* b[] = {b0, b1};
  for (const MicroKernel& kernel : micro_kernels()) {
    float c[] = {-1, -1};
    kernel.run(1, 2,
               {.a = a, .b = b, .segments = 2, .depth = 2, .b_step = 2, .c = c, .bias = bias});
    EXPECT_EQ(c[0], 100 + 13 + 7) << kernel.name;
    EXPECT_EQ(c[1], 200 + 16 + 8) << kernel.name;
  }
}

TEST(Microkernel, SegmentsShareRowPointers) {
  // The rows (x[0], x[2]), then those two floats further on, then the one of x[5] in both: each
  // times its segment's B.
  const float x[] = {1, 2, 3, 4, 5, 6}, b0[] = {1}, b1[] = {10}, b2[] = {100};
  const float* a[] = {x, x + 2, x + 5, x + 5};
  const MicroRows at[] = {{0, 0}, {0, 2}, {2, 0}};
  const float* b[] = {b0, b1, b2};
  for (const MicroKernel& kernel : micro_kernels()) {
    float c[] = {-1, -1};
    kernel.run(2, 1, {.a = a, .at = at, .b = b, .segments = 3, .depth = 1, .c = c, .ldc = 1});
    EXPECT_EQ(c[0], 1 + 30 + 600) << kernel.name;
    EXPECT_EQ(c[1], 3 + 50 + 600) << kernel.name;
  }
}

TEST(Microkernel, PackedPanels) {
  for (const Index width : {Index{micro_kernel().cols}, Index{micro_kernel().cols} * 2})
    for (const Index cols : {Index{1}, width - 1, width, width + 1, 3 * width + 5})
      for (const Index depth : {1, 7, 8, 9, 40})
        for (const bool transposed : {false, true}) {
          const Index ldb = (transposed ? depth : cols) + 3;
          const auto b = draw((transposed ? cols : depth) * ldb, 6);
          std::vector<float> packed(static_cast<std::size_t>(packed_size(depth, cols, width)),
                                    -9.0F);
          ASSERT_EQ(packed_size(depth, cols, width), panel_count(cols, width) * depth * width);
          const Index middle = panel_count(cols, width) / 2;
          pack_panels(packed.data(), b.data(), ldb, transposed, depth, cols, 0, middle, width);
          pack_panels(packed.data(), b.data(), ldb, transposed, depth, cols, middle,
                      panel_count(cols, width), width);
          for (Index n = 0; n < panel_count(cols, width) * width; ++n)
            for (Index k = 0; k < depth; ++k) {
              const float got =
                  packed[static_cast<std::size_t>((n / width * depth + k) * width + n % width)];
              const Index from = transposed ? n * ldb + k : k * ldb + n;
              ASSERT_EQ(got, n < cols ? b[static_cast<std::size_t>(from)] : 0.0F)
                  << cols << ' ' << depth << ' ' << n << ' ' << k;
            }
        }
}

TEST(Microkernel, ActivatesTiles) {
  // Rows of 2 in a matrix 3 wide; the third column must stay.
  const float x[] = {-2, 0.5F, -7, 3, -0.25F, -7};
  const auto check = [&](Activation activation, auto&& expected) {
    float y[6];
    std::copy(std::begin(x), std::end(x), y);
    activate_tile(activation, y, 3, 2, 2);
    for (int i = 0; i < 6; ++i)
      EXPECT_NEAR(y[i], i % 3 == 2 ? x[i] : static_cast<float>(expected(double{x[i]})), 1e-6);
  };
  check(Activation::none, [](double v) { return v; });
  check(Activation::relu, [](double v) { return v > 0 ? v : 0; });
  check({Activation::leaky_relu, 0.2F}, [](double v) { return v > 0 ? v : 0.2 * v; });
  check(Activation::sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); });
  check(Activation::tanh, [](double v) { return std::tanh(v); });
}

}  // namespace
}  // namespace framefold
