// The arguments that vendors' libraries would get, computed by loops that read them as the
// libraries' documents say, against our own references.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/attention_layout.h"
#include "kernels/convolution_layout.h"
#include "kernels/copy.h"
#include "kernels/device/space.h"
#include "kernels/lstm_layout.h"
#include "kernels/matmul_layout.h"
#include "kernels/permute.h"
#include "kernels/philox.h"

namespace framefold {
namespace {

std::vector<float> drawn(Index count, std::uint64_t what) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = Random{9, what}.normal(i);
  return values;
}

// cublasLtMatmul: D = epilogue(op(A) op(B) + beta C + bias), by columns; C stands where D does.
void library_product(const ColumnMajor& p, float beta, bool relu, std::vector<float>& d,
                     const std::vector<float>& a, const std::vector<float>& b,
                     const std::vector<float>& bias) {
  const auto at = [](const ColumnMajor::Matrix& matrix, Index g, Index row, Index column) {
    EXPECT_LT(row, matrix.rows);
    EXPECT_LT(column, matrix.columns);
    return static_cast<std::size_t>(g * matrix.step + row + column * matrix.rows);
  };
  for (Index g = 0; g < p.batch; ++g)
    for (Index i = 0; i < p.m; ++i)
      for (Index j = 0; j < p.n; ++j) {
        double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(i)];
        float& out = d[at(p.d, g, i, j)];
        if (beta != 0) sum += static_cast<double>(beta) * out;
        for (Index k = 0; k < p.k; ++k)
          sum += static_cast<double>(p.transpose_a ? a[at(p.a, g, k, i)] : a[at(p.a, g, i, k)]) *
                 (p.transpose_b ? b[at(p.b, g, j, k)] : b[at(p.b, g, k, j)]);
        out = static_cast<float>(relu && sum < 0 ? 0 : sum);
      }
}

TEST(LibraryLayouts, ColumnMajorProductsAreOurs) {
  const Stream reference{.path = Path::reference};
  for (const Index batch : {1, 3})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const bool biased : {false, true})
          for (const bool accumulate : {false, true})
            for (const Activation activation : {Activation::none, Activation::relu}) {
              const Product p{.batch = batch,
                              .m = 4,
                              .n = 3,
                              .k = 5,
                              .transpose_a = ta,
                              .transpose_b = tb,
                              .bias = biased,
                              .accumulate = accumulate,
                              .activation = activation};
              ASSERT_TRUE(library_supports(p, DType::f32, DType::f32, DType::f32));
              const auto a = drawn(batch * p.m * p.k, 1);
              const auto b = drawn(batch * p.k * p.n, 2);
              const auto bias = drawn(biased ? p.n : 0, 3);
              auto c = drawn(batch * p.m * p.n, 4);
              auto d = c;
              const auto view = [](const std::vector<float>& values) {
                return View{values.empty() ? nullptr : values.data(),
                            DType::f32,
                            {static_cast<Index>(values.size())}};
              };
              product(reference, p, {c.data(), DType::f32, {static_cast<Index>(c.size())}}, {},
                      view(a), view(b), view(bias));
              library_product(column_major(p), accumulate ? 1 : 0, activation == Activation::relu,
                              d, b, a, bias);
              for (std::size_t i = 0; i < c.size(); ++i) EXPECT_NEAR(d[i], c[i], 1e-5) << i;
            }
}

TEST(LibraryLayouts, ProductsThatTheLibraryHas) {
  Product p{.m = 2, .n = 2, .k = 2};
  const DType f32 = DType::f32, bf16 = DType::bf16, f64 = DType::f64;
  EXPECT_TRUE(library_supports(p, bf16, bf16, bf16));
  EXPECT_TRUE(library_supports(p, bf16, bf16, f32));  // rounds the weight
  EXPECT_TRUE(library_supports(p, f32, bf16, bf16));  // its gradient
  EXPECT_FALSE(library_supports(p, bf16, f32, f32));
  EXPECT_FALSE(library_supports(p, f64, f64, f64));
  for (const auto kind : {Activation::leaky_relu, Activation::sigmoid, Activation::tanh}) {
    p.activation = kind;
    EXPECT_FALSE(library_supports(p, f32, f32, f32));
  }
  p = {.m = 2, .n = 2, .k = 0};
  EXPECT_FALSE(library_supports(p, f32, f32, f32));
}

// cuDNN's cross-correlation over strided operands: each of the three sums, of the other two.
enum class Sum { coarse, fine, weight };

void library_convolve(Sum sum, const LibraryConvolution& c, std::vector<float>& x,
                      std::vector<float>& w, std::vector<float>& y) {
  using Place = std::vector<Index>;
  const auto at = [](const LibraryConvolution::Operand& operand, const Place& place) {
    Index index = 0;
    for (std::size_t axis = 0; axis < place.size(); ++axis) {
      EXPECT_LT(place[axis], operand.extents[axis]);
      index += place[axis] * operand.strides[axis];
    }
    return static_cast<std::size_t>(index);
  };
  const auto for_each = [](const Place& extents, auto&& body) {
    Index count = 1;
    for (const Index extent : extents) count *= extent;
    for (Index i = 0; i < count; ++i) {
      Place place(extents.size());
      Index rest = i;
      for (std::size_t axis = extents.size(); axis-- > 0; rest /= extents[axis])
        place[axis] = rest % extents[axis];
      body(place);
    }
  };
  std::ranges::fill(sum == Sum::coarse ? y : sum == Sum::fine ? x : w, 0.0F);
  const Index groups = c.x.extents[1] / c.w.extents[1];
  const Index outputs = c.w.extents[0] / groups;
  for_each(c.y.extents, [&](const Place& to) {
    Place taps = c.w.extents;
    taps[0] = 1;  // to[1] alone
    for_each(taps, [&](Place tap) {
      tap[0] = to[1];
      Place from = to;
      from[1] = to[1] / outputs * c.w.extents[1] + tap[1];
      for (std::size_t axis = 2; axis < to.size(); ++axis) {
        const std::size_t s = axis - 2;
        from[axis] = to[axis] * c.stride[s] + tap[axis] * c.dilation[s] - c.padding[s];
        if (from[axis] < 0 || from[axis] >= c.x.extents[axis]) return;
      }
      float& px = x[at(c.x, from)];
      float& pw = w[at(c.w, tap)];
      float& py = y[at(c.y, to)];
      if (sum == Sum::coarse) py += px * pw;
      if (sum == Sum::fine) px += py * pw;
      if (sum == Sum::weight) pw += px * py;
    });
  });
}

TEST(LibraryLayouts, ConvolutionsAreOurs) {
  const Stream reference{.path = Path::reference};
  const auto coarse_of = [](Convolution c) {
    for (std::size_t a = 0; a < 3; ++a)
      c.coarse[a] =
          (c.fine[a] + 2 * c.padding[a] - c.dilation[a] * (c.kernel[a] - 1) - 1) / c.stride[a] + 1;
    return c;
  };
  const Convolution plain{.batch = 2,
                          .groups = 1,
                          .fine = {3, 5, 4},
                          .kernel = {2, 3, 1},
                          .stride = {1, 1, 1},
                          .padding = {0, 0, 0},
                          .dilation = {1, 1, 1},
                          .fine_channels = 4,
                          .coarse_channels = 6,
                          .activation = Activation::none};
  Convolution uneven = plain;
  uneven.groups = 2;
  uneven.stride = {2, 1, 3};
  uneven.padding = {1, 2, 0};
  uneven.dilation = {1, 2, 1};
  Convolution flat = plain;
  flat.fine[0] = flat.kernel[0] = 1;
  flat.padding[1] = 1;
  for (const Convolution& c : {coarse_of(plain), coarse_of(uneven), coarse_of(flat)}) {
    ASSERT_TRUE(library_agrees(c));
    const LibraryConvolution described = library_convolution(c);
    EXPECT_EQ(described.stride.size(), c.kernel[0] == 1 ? 2U : 3U);
    const Index rows = c.taps() * c.fine_group();
    auto x = drawn(c.fine_positions() * c.fine_channels, 1);
    auto weight = drawn(c.weights(), 2);
    auto y = drawn(c.coarse_positions() * c.coarse_channels, 3);
    auto turned = weight;
    const auto tensor = [](std::vector<float>& values) {
      return Tensor{values.data(), DType::f32, {static_cast<Index>(values.size())}};
    };
    constexpr int exchanged[] = {1, 0};
    permute_forward(reference, {turned.data(), DType::f32, {c.coarse_channels, rows}},
                    {weight.data(), DType::f32, {rows, c.coarse_channels}}, exchanged);
    const auto expect_alike = [](const std::vector<float>& given,
                                 const std::vector<float>& expected) {
      ASSERT_EQ(given.size(), expected.size());
      for (std::size_t i = 0; i < given.size(); ++i) EXPECT_NEAR(given[i], expected[i], 1e-4) << i;
    };
    auto ours = y;
    coarse_from_fine(reference, c, tensor(ours), {}, tensor(x), tensor(weight), {});
    auto theirs = y;
    library_convolve(Sum::coarse, described, x, turned, theirs);
    expect_alike(theirs, ours);

    ours = theirs = x;
    fine_from_coarse(reference, c, tensor(ours), {}, tensor(y), tensor(weight), {});
    library_convolve(Sum::fine, described, theirs, turned, y);
    expect_alike(theirs, ours);

    ours = weight;  // += there, = here
    weight_from_both(reference, c, tensor(ours), {}, tensor(x), tensor(y));
    theirs = turned;
    library_convolve(Sum::weight, described, x, theirs, y);
    auto back = weight;
    permute_forward(reference, {back.data(), DType::f32, {rows, c.coarse_channels}},
                    {theirs.data(), DType::f32, {c.coarse_channels, rows}}, exchanged);
    for (std::size_t i = 0; i < back.size(); ++i) back[i] += weight[i];
    expect_alike(back, ours);
  }

  Convolution longer = coarse_of(plain);
  longer.coarse[1] += 1;
  EXPECT_FALSE(library_agrees(longer));
}

// cuDNN's attention over strided operands, its scores for all tokens at once.
TEST(LibraryLayouts, AttentionIsOurs) {
  const Stream reference{.path = Path::reference};
  const Attention attention{.heads = 2, .causal = true};
  constexpr Index batch = 2, tokens = 5, depth = 8;
  const AttentionShape shape(attention, {batch, tokens, 3 * 2 * depth});
  const LibraryAttention a = library_attention(shape);
  const auto qkv = drawn(batch * tokens * 3 * 2 * depth, 1);
  std::vector<float> y(static_cast<std::size_t>(batch * tokens * 2 * depth));
  std::vector<float> lse(static_cast<std::size_t>(batch * 2 * tokens));
  attention_forward(reference, attention, {y.data(), DType::f32, {batch, tokens, 2 * depth}},
                    {lse.data(), DType::f32, {batch, 2, tokens}}, {},
                    {qkv.data(), DType::f32, {batch, tokens, 3 * 2 * depth}}, {});
  EXPECT_EQ(a.extents, (std::vector<Index>{batch, 2, tokens, depth}));
  const auto at = [](const std::vector<Index>& strides, Index b, Index h, Index n, Index c) {
    return static_cast<std::size_t>(b * strides[0] + h * strides[1] + n * strides[2] +
                                    c * strides[3]);
  };
  const float* q = qkv.data();
  const float* k = q + a.key;
  const float* v = q + a.value;
  for (Index b = 0; b < batch; ++b)
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < tokens; ++i) {
        std::vector<double> weights;
        double total = 0;
        for (Index j = 0; j <= i; ++j) {
          double score = 0;
          for (Index c = 0; c < depth; ++c)
            score += static_cast<double>(q[at(a.packed, b, h, i, c)]) * k[at(a.packed, b, h, j, c)];
          weights.push_back(std::exp(static_cast<double>(a.scale) * score));
          total += weights.back();
        }
        EXPECT_NEAR(lse[at(a.row_stride, b, h, i, 0)], std::log(total), 1e-5);
        for (Index c = 0; c < depth; ++c) {
          double sum = 0;
          for (Index j = 0; j <= i; ++j)
            sum += weights[static_cast<std::size_t>(j)] / total * v[at(a.packed, b, h, j, c)];
          EXPECT_NEAR(y[at(a.plain, b, h, i, c)], sum, 1e-5);
        }
      }
  EXPECT_TRUE(library_supports(shape, DType::bf16));
  EXPECT_FALSE(library_supports(shape, DType::f32));
  EXPECT_FALSE(library_supports({attention, {2, 5, 3 * 2 * 12}}, DType::bf16));
}

// cuDNN's graphs with lengths, computed on [N, d] of one head as they say: a mask on the scores'
// columns, on operands without what stands past the lengths; outputs are cut afterwards.
TEST(LibraryLayouts, AttentionWithLengthsIsOurs) {
  const Stream reference{.path = Path::reference};
  constexpr Index batch = 3, tokens = 5, depth = 8;
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr double lowest = std::numeric_limits<float>::lowest();
  const std::int32_t given[] = {5, 2, 0};
  const View lengths{given, DType::i32, {batch}};
  for (const bool causal : {false, true}) {
    const Attention attention{.heads = 1, .causal = causal};
    const Shape wide{batch, tokens, 3 * depth}, narrow{batch, tokens, depth};
    auto qkv = drawn(wide.size(), 1), dy = drawn(narrow.size(), 2);
    for (Index b = 0; b < batch; ++b)
      for (Index n = given[b]; n < tokens; ++n) {
        std::fill_n(qkv.begin() + (b * tokens + n) * 3 * depth, 3 * depth, nan);
        std::fill_n(dy.begin() + (b * tokens + n) * depth, depth, nan);
      }
    std::vector<float> y(dy.size()), dqkv(qkv.size()), lse(batch * tokens);
    const Tensor to_y{y.data(), DType::f32, narrow}, to_dqkv{dqkv.data(), DType::f32, wide};
    const Tensor rows{lse.data(), DType::f32, {batch, 1, tokens}};
    const View from{qkv.data(), DType::f32, wide}, slopes{dy.data(), DType::f32, narrow};
    attention_forward(reference, attention, to_y, rows, {}, from, lengths);
    attention_dgrad(reference, attention, to_dqkv, {}, slopes, from, to_y, rows, lengths);

    std::vector<float> kept_qkv(qkv.size()), kept_dy(dy.size());
    copy_within(reference, {kept_qkv.data(), DType::f32, wide}, from, lengths);
    copy_within(reference, {kept_dy.data(), DType::f32, narrow}, slopes, lengths);
    const double scale = 1 / std::sqrt(static_cast<double>(depth));
    for (Index b = 0; b < batch; ++b) {
      const auto at = [&](Index n, Index part, Index c) {
        return static_cast<double>(
            kept_qkv[static_cast<std::size_t>(((b * tokens + n) * 3 + part) * depth + c)]);
      };
      const auto slope = [&](Index n, Index c) {
        return static_cast<double>(kept_dy[static_cast<std::size_t>((b * tokens + n) * depth + c)]);
      };
      const auto score = [&](Index i, Index j) {
        double sum = 0;
        for (Index c = 0; c < depth; ++c) sum += at(i, 0, c) * at(j, 1, c);
        return j >= given[b] || (causal && j > i) ? lowest : scale * sum;
      };
      std::vector<double> gradient(static_cast<std::size_t>(tokens * 3 * depth));
      const auto dat = [&](Index n, Index part, Index c) -> double& {
        return gradient[static_cast<std::size_t>((n * 3 + part) * depth + c)];
      };
      for (Index i = 0; i < tokens; ++i) {
        double most = lowest, total = 0;
        for (Index j = 0; j < tokens; ++j) most = std::max(most, score(i, j));
        for (Index j = 0; j < tokens; ++j) total += std::exp(score(i, j) - most);
        const bool within = i < given[b];
        const double statistic = within ? most + std::log(total) : 0;  // cut afterwards
        EXPECT_NEAR(lse[static_cast<std::size_t>(b * tokens + i)], statistic, 1e-5);
        double delta = 0;
        for (Index c = 0; c < depth; ++c) {
          double sum = 0;
          for (Index j = 0; j < tokens; ++j)
            sum += std::exp(score(i, j) - most) / total * at(j, 2, c);
          if (!within) sum = 0;  // cut afterwards
          EXPECT_NEAR(y[static_cast<std::size_t>((b * tokens + i) * depth + c)], sum, 1e-5);
          delta += slope(i, c) * sum;
        }
        for (Index j = 0; j < tokens; ++j) {
          const double p = std::exp(score(i, j) - statistic);
          double against = 0;
          for (Index c = 0; c < depth; ++c) against += slope(i, c) * at(j, 2, c);
          const double ds = scale * p * (against - delta);
          for (Index c = 0; c < depth; ++c) {
            dat(i, 0, c) += ds * at(j, 1, c);
            dat(j, 1, c) += ds * at(i, 0, c);
            dat(j, 2, c) += p * slope(i, c);
          }
        }
      }
      for (Index i = 0; i < tokens * 3 * depth; ++i)
        EXPECT_NEAR(dqkv[static_cast<std::size_t>(b * tokens * 3 * depth + i)],
                    gradient[static_cast<std::size_t>(i)], 1e-5);
    }
  }
}

// cuDNN's LSTM: h[t] of one sample from linear layers 0 to 7 and the input's biases.
TEST(LibraryLayouts, LstmIsOurs) {
  const Stream reference{.path = Path::reference};
  constexpr Index batch = 2, steps = 3, inputs = 4, hidden = 5;
  const auto x = drawn(batch * steps * inputs, 1);
  const auto wx = drawn(inputs * 4 * hidden, 2);
  const auto wh = drawn(hidden * 4 * hidden, 3);
  const auto bias = drawn(4 * hidden, 4);
  const LibraryLstm layout{inputs, hidden};
  std::vector<float> space(static_cast<std::size_t>(layout.size()));
  constexpr int exchanged[] = {1, 0};
  const auto put = [&](const std::vector<float>& weight, Index rows, Index to) {
    permute_forward(reference, {space.data() + to, DType::f32, {4 * hidden, rows}},
                    {weight.data(), DType::f32, {rows, 4 * hidden}}, exchanged);
  };
  put(wx, inputs, layout.matrix(0));
  put(wh, hidden, layout.matrix(4));
  put(bias, 1, layout.bias());

  std::vector<float> h(static_cast<std::size_t>(batch * steps * hidden)), cells(h);
  std::vector<float> gates(4 * h.size()), last(static_cast<std::size_t>(batch * hidden));
  std::vector<float> c_last(last);
  const Shape sequence{batch, steps, hidden};
  lstm_forward(reference,
               {.h = {h.data(), DType::f32, sequence},
                .h_last = {last.data(), DType::f32, {batch, hidden}},
                .c_last = {c_last.data(), DType::f32, {batch, hidden}},
                .gates = {gates.data(), DType::f32, {batch, steps, 4 * hidden}},
                .cells = {cells.data(), DType::f32, sequence}},
               {},
               {.x = {x.data(), DType::f32, {batch, steps, inputs}},
                .wx = {wx.data(), DType::f32, {inputs, 4 * hidden}},
                .wh = {wh.data(), DType::f32, {hidden, 4 * hidden}},
                .bias = {bias.data(), DType::f32, {4 * hidden}},
                .peepholes = {},
                .h0 = {},
                .c0 = {},
                .lengths = {}});

  const auto of = [&](Index at) {
    return static_cast<double>(space[static_cast<std::size_t>(at)]);
  };
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  for (Index b = 0; b < batch; ++b) {
    std::vector<double> before(hidden), c(hidden), now(hidden);
    for (Index t = 0; t < steps; ++t, before = now)
      for (Index n = 0; n < hidden; ++n) {
        double z[4];
        for (int gate = 0; gate < 4; ++gate) {
          z[gate] = of(layout.bias() + gate * hidden + n);
          for (Index k = 0; k < inputs; ++k)
            z[gate] += of(layout.matrix(gate) + n * inputs + k) *
                       x[static_cast<std::size_t>((b * steps + t) * inputs + k)];
          for (Index k = 0; k < hidden; ++k)
            z[gate] +=
                of(layout.matrix(4 + gate) + n * hidden + k) * before[static_cast<std::size_t>(k)];
        }
        const auto at = static_cast<std::size_t>(n);
        c[at] = sigmoid(z[1]) * c[at] + sigmoid(z[0]) * std::tanh(z[2]);
        now[at] = sigmoid(z[3]) * std::tanh(c[at]);
        EXPECT_NEAR(h[static_cast<std::size_t>((b * steps + t) * hidden + n)], now[at], 1e-5);
      }
  }
}

// Wherever our pieces before it end, and no byte further than was asked for.
TEST(LibraryLayouts, TheLibrarysWorkspaceBeginsAtAMultipleOf256) {
  alignas(256) std::array<std::byte, 4096> memory;
  for (const Bytes before : {0, 64, 128, 192, 256, 320})
    for (const Bytes bytes : {1, 64, 100, 256, 1000}) {
      Workspace workspace(memory.data(), before + gpu::space_bytes(bytes));
      workspace.take<std::byte>(static_cast<Index>(before));
      const std::byte* space = gpu::take_space(workspace, bytes);
      EXPECT_EQ((space - memory.data()) % 256, 0) << before << ", " << bytes;
      EXPECT_GE(space, memory.data() + before);
    }
  Workspace none(memory.data(), 0);
  EXPECT_EQ(gpu::space_bytes(0), 0U);
  EXPECT_EQ(gpu::take_space(none, 0), nullptr);
}

}  // namespace
}  // namespace framefold
