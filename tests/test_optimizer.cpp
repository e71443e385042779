#include "kernels/optimizer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "kernels/philox.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"
#include "tests/simt/runtime.h"

namespace framefold::test {
namespace {

// One weight's path under a sequence of gradients.
template <class Update>
void expect_path(float w0, const std::vector<float>& gradients, const std::vector<float>& path,
                 const Update& update) {
  for (const Stream& stream : each_path()) {
    Array<> w{{1}, {w0}};
    std::array<Array<>, 2> state{Array<>{{1}, {0}}, Array<>{{1}, {0}}};
    for (std::size_t t = 0; t < gradients.size(); ++t) {
      update(stream, w, state, Array<>{{1}, {gradients[t]}}, static_cast<Index>(t) + 1);
      EXPECT_NEAR(w.values[0], path[t], 2e-7) << "step " << t + 1;
    }
  }
}

auto with(const Sgd& sgd, double scale = 1) {
  return [=](const Stream& stream, Tensor w, auto& state, View g, Index) {
    sgd_update(stream, sgd, w, state[0], g, scale);
  };
}
auto with(const RmsProp& rmsprop) {
  return [=](const Stream& stream, Tensor w, auto& state, View g, Index) {
    rmsprop_update(stream, rmsprop, w, state[0], state[1], g, 1);
  };
}
auto with(const Adam& adam) {
  return [=](const Stream& stream, Tensor w, auto& state, View g, Index step) {
    adam_update(stream, adam, w, state[0], state[1], g, 1, step);
  };
}

TEST(Optimizer, SgdByHand) {
  expect_path(1, {1, 1}, {0.9F, 0.8F}, with(Sgd{.rate = 0.1}));
  expect_path(1, {2, 2}, {0.9F, 0.8F}, with(Sgd{.rate = 0.1}, 0.5));
  expect_path(1, {1, 1, 1}, {0.9F, 0.71F, 0.439F}, with(Sgd{.rate = 0.1, .momentum = 0.9}));
  expect_path(1, {1, 1, 1}, {0.81F, 0.539F, 0.1951F},
              with(Sgd{.rate = 0.1, .momentum = 0.9, .nesterov = true}));
  // g = 1 + w / 2
  expect_path(1, {1, 1}, {0.85F, 0.7075F}, with(Sgd{.rate = 0.1, .decay = 0.5}));
}

TEST(Optimizer, RmsPropByHand) {
  // s = 1, 1.75
  const RmsProp plain{.rate = 0.1, .smoothing = 0.75, .epsilon = 0};
  expect_path(1, {2, 2}, {0.8F, 0.8F - 0.15118579F}, with(plain));
  // d = 2 / (1 + 1), 2 / (1.3228757 + 1)
  RmsProp other = plain;
  other.epsilon = 1;
  expect_path(1, {2, 2}, {0.9F, 0.9F - 0.08610017F}, with(other));
  other.momentum = 0.5;
  expect_path(1, {2, 2}, {0.9F, 0.9F - 0.13610017F}, with(other));
}

TEST(Optimizer, AdamByHand) {
  // m = 0.1, -0.01; v = 0.001, 0.001999; corrected -0.01 / 0.19 and 1
  expect_path(1, {1, -1}, {0.9F, 0.90526316F}, with(Adam{.rate = 0.1, .epsilon = 0}));
  // epsilon stands beside the corrected root: 2 / (2 + 1)
  expect_path(1, {2, 2}, {1 - 0.06666667F, 1 - 0.13333333F}, with(Adam{.rate = 0.1, .epsilon = 1}));
  // Decay in the gradient does not change its sign, decoupled decay takes 5 % of the weight.
  expect_path(1, {1}, {0.9F}, with(Adam{.rate = 0.1, .epsilon = 0, .decay = 0.5}));
  expect_path(1, {1, 1}, {0.85F, 0.7075F},
              with(Adam{.rate = 0.1, .epsilon = 0, .decay = 0.5, .decoupled = true}));
}

TEST(Optimizer, AverageNormAndClipByHand) {
  for (const Stream& stream : each_path()) {
    Array<> a{{2}, {1, -1}};
    average_update(stream, 0.9, a, Array<>{{2}, {2, 4}});
    expect_near<float>(a.values, {1.1F, -0.5F}, 1e-6);
    std::array<double, 8> space{};
    EXPECT_EQ(norm_workspace(2), sizeof(space));
    EXPECT_EQ(norm_of(stream, Workspace(space.data(), sizeof(space)), Array<>{{2}, {3, 4}}), 5);
  }
  EXPECT_EQ(clip_scale(4, 2), 0.5);
  EXPECT_EQ(clip_scale(2, 4), 1);
}

TEST(Optimizer, BesideTheWeightsByHand) {
  for (const Stream& stream : each_path()) {
    Array<> w{{2}, {1, 2}};
    Array<> average{{2}, {1, 1}};
    std::array<bf16, 2> narrow{};
    const Array<> clip{{1}, {0.5F}};
    sgd_update(stream, {.rate = 0.5}, w, {}, Array<>{{2}, {4, -4}}, 0.5,
               {.clip = clip,
                .average = average,
                .average_decay = 0.75,
                .narrow = {narrow.data(), DType::bf16, {2}}});
    expect_near<float>(w.values, {0.5F, 2.5F}, 0);  // 1/2 1/2 4 = 1
    expect_near<float>(average.values, {0.875F, 1.375F}, 0);
    EXPECT_EQ(static_cast<float>(narrow[0]), 0.5F);
    EXPECT_EQ(static_cast<float>(narrow[1]), 2.5F);
    std::array<double, 8> space{};
    const auto factor_of = [&](float loss) {
      Array<> factor{{2}};
      clip_factor(stream, 1, factor, Workspace(space.data(), sizeof(space)), Array<>{{2}, {3, 4}},
                  Array<>{{1}, {loss}});
      EXPECT_EQ(factor.values[1], 5);
      return factor.values[0];
    };
    EXPECT_EQ(factor_of(7), 0.2F);
    EXPECT_TRUE(std::isnan(factor_of(std::numeric_limits<float>::infinity())));
  }
}

// Flat buffers in device memory, which every update changes as it does on the CPU.
struct Flat {
  Index count;
  Bytes skew;
  simt::DeviceMemory memory{static_cast<Bytes>(count) * sizeof(float) + skew};
  std::vector<float> host;

  Flat(Index size, Bytes by, std::uint64_t what, bool positive = false)
      : count(size), skew(by), host(static_cast<std::size_t>(size)) {
    for (Index i = 0; i < count; ++i) {
      const float value = Random{5, stream_of(what)}.normal(static_cast<std::uint64_t>(i));
      host[static_cast<std::size_t>(i)] = positive ? std::abs(value) : value;
    }
    std::copy(host.begin(), host.end(), device());
  }
  float* device() const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(memory.data) + skew);
  }
  Tensor on(const Stream& stream) {
    const bool cuda = stream.device.kind == Device::Kind::cuda;
    return {cuda ? device() : host.data(), DType::f32, {count}};
  }
  void expect_alike(double tolerance) const {
    expect_near<float>({device(), device() + count}, host, tolerance);
  }
};

struct Narrow {
  simt::DeviceMemory memory;
  std::vector<bf16> host;

  explicit Narrow(Index count)
      : memory(static_cast<Bytes>(count) * sizeof(bf16)), host(static_cast<std::size_t>(count)) {}
  bf16* device() const { return static_cast<bf16*>(memory.data); }
};

void update_on_device(Index size, Bytes skew) {
  const Stream cpu{};
  const Stream cuda{.device = Device::cuda(0)};
  Flat w(size, skew, 1);
  Flat first(size, skew, 2, true);
  Flat second(size, skew, 3, true);
  Flat gradient(size, skew, 4);
  Flat average(size, skew, 5);
  Flat factor(2, skew, 6);
  Narrow narrow(size);
  const Bytes bytes = norm_workspace(size);
  const simt::DeviceMemory device_space(bytes);
  std::vector<std::byte> host_space(bytes);
  const auto step = [&](const Stream& stream, void* space, bf16* rounded) {
    const Tensor g = gradient.on(stream);
    const Beside beside{.clip = factor.on(stream),
                        .average = average.on(stream),
                        .average_decay = 0.75,
                        .narrow = {rounded, DType::bf16, {size}}};
    clip_factor(stream, 0.5, factor.on(stream), Workspace(space, bytes), g);
    const Tensor weights = w.on(stream);
    const Tensor a = first.on(stream);
    const Tensor b = second.on(stream);
    sgd_update(stream, {.rate = 0.1, .decay = 0.1}, weights, {}, g, 2);
    sgd_update(stream, {.rate = 0.1, .momentum = 0.5}, weights, a, g, 1, beside);
    sgd_update(stream, {.momentum = 0.5, .nesterov = true}, weights, a, g, 1);
    rmsprop_update(stream, {.rate = 0.1, .epsilon = 0.1}, weights, b, {}, g, 1);
    rmsprop_update(stream, {.epsilon = 0.1, .momentum = 0.5}, weights, b, a, g, 1);
    adam_update(stream, {.epsilon = 0.1, .decay = 0.1}, weights, a, b, g, 1, 2);
    adam_update(stream, {.rate = 0.1, .epsilon = 0.1, .decay = 0.1, .decoupled = true}, weights, a,
                b, g, 1, 3, beside);
    average_update(stream, 0.5, average.on(stream), weights);
  };
  step(cpu, host_space.data(), narrow.host.data());
  {
    const simt::HostKeepsOut keeps_out;
    step(cuda, device_space.data, narrow.device());
  }
  for (const Flat* flat : {&w, &first, &second, &average, &factor}) flat->expect_alike(2e-6);
  for (Index i = 0; i < size; ++i)
    EXPECT_NEAR(static_cast<float>(narrow.device()[i]),
                static_cast<float>(narrow.host[static_cast<std::size_t>(i)]), 0.04);
}

void update_on_device() {
  for (const std::uint64_t schedule : {0, 1, 2}) {
    simt::set_schedule(schedule);
    update_on_device(1, 0);
    update_on_device(1026, 0);  // two blocks and a tail
    update_on_device(300, sizeof(float));
  }
}

const bool runs_kernels = (device_programs().push_back(update_on_device), true);

TEST(OptimizerOnDevice, UpdatesAsOnTheProcessor) {
  if (const std::string why = simt::why_no_device(); !why.empty()) GTEST_SKIP() << why;
  update_on_device();
}

// Three updates of many weights in f32 against the textbook's formulas in double.
template <class T>
struct State {
  std::vector<T> w, a, b;
};

constexpr Index count = 40011;  // two threads and a tail

double drawn(std::uint64_t what, Index i) {
  return static_cast<double>(Random{3, stream_of(what)}.normal(static_cast<std::uint64_t>(i)));
}

template <class Update, class Textbook>
void expect_textbook(const Update& update, const Textbook& textbook) {
  const auto n = static_cast<std::size_t>(count);
  std::vector<double> w(n);
  std::vector<double> a(n);
  std::vector<double> b(n);
  for (Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    w[at] = static_cast<double>(static_cast<float>(drawn(0, i)));
    for (std::uint64_t t = 1; t <= 3; ++t) {
      const auto g = static_cast<double>(static_cast<float>(drawn(t, i)));
      textbook(w[at], a[at], b[at], g, static_cast<double>(t));
    }
  }
  for (const Stream& stream : each_path()) {
    const auto zeros = std::vector<float>(n);
    std::array<Array<>, 2> state{Array<>{{count}, zeros}, Array<>{{count}, zeros}};
    Array<> weights{{count}, zeros};
    Array<> gradient{{count}, zeros};
    for (Index i = 0; i < count; ++i)
      weights.values[static_cast<std::size_t>(i)] = static_cast<float>(drawn(0, i));
    for (std::uint64_t t = 1; t <= 3; ++t) {
      for (Index i = 0; i < count; ++i)
        gradient.values[static_cast<std::size_t>(i)] = static_cast<float>(drawn(t, i));
      update(stream, weights, state, gradient, static_cast<Index>(t));
    }
    double worst = 0;
    for (std::size_t i = 0; i < n; ++i)
      worst = std::max(worst, std::abs(static_cast<double>(weights.values[i]) - w[i]));
    EXPECT_LT(worst, 2e-6) << "path " << static_cast<int>(stream.path);
  }
}

TEST(Optimizer, SgdIsTheTextbooks) {
  expect_textbook(with(Sgd{.rate = 0.1, .momentum = 0.9, .nesterov = true, .decay = 0.01}, 0.5),
                  [](double& w, double& u, double&, double g, double) {
                    g = 0.5 * g + 0.01 * w;
                    u = 0.9 * u + g;
                    w -= 0.1 * (g + 0.9 * u);
                  });
}

TEST(Optimizer, RmsPropIsTheTextbooks) {
  expect_textbook(with(RmsProp{.rate = 0.01, .smoothing = 0.9, .momentum = 0.5, .decay = 0.01}),
                  [](double& w, double& s, double& u, double g, double) {
                    g += 0.01 * w;
                    s = 0.9 * s + 0.1 * g * g;
                    u = 0.5 * u + g / (std::sqrt(s) + 1e-8);
                    w -= 0.01 * u;
                  });
}

TEST(Optimizer, AdamIsTheTextbooks) {
  for (const bool decoupled : {false, true})
    expect_textbook(with(Adam{.rate = 0.01, .decay = 0.1, .decoupled = decoupled}),
                    [=](double& w, double& m, double& v, double g, double t) {
                      if (decoupled)
                        w -= 0.01 * 0.1 * w;
                      else
                        g += 0.1 * w;
                      m = 0.9 * m + 0.1 * g;
                      v = 0.999 * v + 0.001 * g * g;
                      const double mean = m / (1 - std::pow(0.9, t));
                      const double square = v / (1 - std::pow(0.999, t));
                      w -= 0.01 * mean / (std::sqrt(square) + 1e-8);
                    });
}

TEST(Optimizer, NormOfManyIsExactAndTheSameForAnyThreads) {
  Array<> x{{count}, std::vector<float>(static_cast<std::size_t>(count))};
  double squares = 0;
  for (Index i = 0; i < count; ++i) {
    const auto value = static_cast<float>(drawn(0, i));
    x.values[static_cast<std::size_t>(i)] = value;
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  std::vector<double> space(norm_workspace(count) / sizeof(double));
  const auto norm = [&](const Stream& stream) {
    return norm_of(stream, Workspace(space.data(), space.size() * sizeof(double)), x);
  };
  for (const Stream& stream : each_path()) {
    EXPECT_NEAR(norm(stream), std::sqrt(squares), 1e-10);
    Stream three = stream;
    three.threads = 3;
    EXPECT_EQ(norm(three), norm(stream));
  }
  x.values[count / 2] = std::numeric_limits<float>::quiet_NaN();
  for (const Stream& stream : each_path()) EXPECT_TRUE(std::isnan(norm(stream)));
}

TEST(Optimizer, AWrongOperandIsNamed) {
  Array<> w{{4}};
  Array<> g{{3}};
  expect_error(ErrorCode::shape, "adam: gradient is f32 [3], expected f32 [4] as the weights",
               [&] { adam_update({}, {}, w, w, w, g, 1, 1); });
  expect_error(ErrorCode::argument, "adam: step is 0, the first update's is 1",
               [&] { adam_update({}, {}, w, w, w, w, 1, 0); });
}

}  // namespace
}  // namespace framefold::test
