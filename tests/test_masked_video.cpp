// The operations of a masked video autoencoder together (Tong et al. 2022), in small: what no case
// of a single operation shows.
#include <gtest/gtest.h>

#include "engine/executor.h"
#include "engine/ops.h"
#include "engine/optimizer.h"
#include "tests/allocations.h"

namespace framefold::test {
namespace {

constexpr Index width = 16;
constexpr TubeMask mask{.grid = {2, 4, 4}, .ratio = 0.75};

Value projected(Graph& g, const std::string& name, Value x, Index to) {
  const Index from = g.shape(x)[-1];
  return linear(g, x, g.parameter(name, {from, to}, Init::glorot(from, to)));
}

Value attended(Graph& g, const std::string& name, Value x) {
  const Value heads = attention(g, projected(g, name + ".qkv", x, 3 * width), {.heads = 2});
  return add(g, x, projected(g, name + ".out", heads, width));
}

Value masked_autoencoder(Graph& g, MaskedTokens* tokens) {
  const Extents tubelet{2, 4, 4};
  const Value clip = g.input("clip", {DType::u8, {2, 4, 16, 16, 3}});
  *tokens = tube_mask(g, 2, mask);
  const auto positions = [&](const std::string& name) {
    return g.parameter(name, {mask.tokens(), width}, Init::normal(0.5));
  };
  Value x = projected(g, "embed", gather_tubelets(g, clip, tokens->visible, tubelet), width);
  x = attended(g, "encoder", add_rows(g, x, positions("positions"), tokens->visible));
  x = add_rows(g, x, positions("decoder positions"), tokens->visible, tokens->masked,
               g.parameter("mask token", {width}, Init::normal(0.02)));
  x = slice(g, attended(g, "decoder", x), 1, mask.visible(), mask.tokens());
  return tubelet_mse(g, projected(g, "head", x, 96), clip, tokens->masked, {.tubelet = tubelet});
}

TEST(MaskedVideo, LearnsAndAllocatesNothing) {
  Graph g;
  MaskedTokens tokens;
  const Value loss = masked_autoencoder(g, &tokens);
  const auto plan =
      std::make_shared<Plan>(compile(g, {.loss = loss, .stream = {.device = {}, .threads = 2}}));
  Parameters parameters(g);
  parameters.initialize(1);
  Executor executor(plan, parameters);
  Optimizer optimizer(parameters, {}, {.device = {}, .threads = 2});
  const Tensor clip = executor.input("clip");
  for (Index i = 0; i < clip.size(); ++i)  // stripes along W that move with T
    clip.as<std::uint8_t>()[i] = (i / 3 % 16 + i / 768) % 4 < 2 ? 200 : 40;
  const auto step = [&](std::uint64_t number) {
    optimizer.clear_gradients();
    executor.run({.seed = 3, .step = number});
    optimizer.update(0.01, optimizer.gradient_norm());
    return executor.loss();
  };
  const float first = step(0);
  const std::int64_t before = allocations();
  float last = 0;
  for (std::uint64_t number = 1; number < 150; ++number) last = step(number);
  if (counts_allocations()) {
    EXPECT_EQ(allocations(), before);
  }
  EXPECT_GT(first, 0.8F);  // targets have a variance of about 1
  EXPECT_LT(last, 0.3F * first);
}

}  // namespace
}  // namespace framefold::test
