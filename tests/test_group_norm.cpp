#include "kernels/group_norm.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// One group, several, one a channel; fewer and more samples than threads; channels joined, of one
// block and past it, and rows past a stretch.
OP_CASES(group_norm) {
  const auto norm = [&](const Operand& x, Index groups, double mean = 0, bool silu = false) {
    const Index c = x.shape[-1];
    add({.in = {x, {c}, {c}},
         .build =
             [=](Graph& g, const std::vector<Value>& v) {
               group_norm(g, v[0], v[1], v[2], {.groups = groups, .eps = 1e-3F, .silu = silu});
             },
         .name = text(groups, " groups", silu ? ", silu" : ""),
         .fill =
             [=](int input, Index i, Random random) {
               const double normal =
                   static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
               return input == 0 ? normal + mean : normal;
             }});
  };
  norm({5, 7, 1}, 1);
  norm({2, 9}, 3);
  norm({1, 2, 3, 4, 6}, 2);
  norm({7, 5, 12}, 12);
  norm({2, 300, 16}, 4);
  norm({4, 70, 66}, 3);
  norm({1, 9, 1032}, 8);
  norm({3, 200, 8}, 2, 30);
  norm({2, 9}, 3, 0, true);
  norm({3, 5, 7, 24}, 3, 0, true);
}

namespace {

// Sample 0: groups 1 3 | 0 4; mean 2 2, variance 1 4. Sample 1: 5 5 and 5 9; mean 5 7, 0 4.
TEST(GroupNorm, HandComputed) {
  const Array<> x{{2, 1, 4}, {1, 3, 0, 4, 5, 5, 5, 9}};
  const Array<> gamma{{4}, {1, 2, 1, 1}};
  const Array<> beta{{4}, {0, 0, 0, 10}};
  const GroupNorm norm{.groups = 2, .eps = 0.25F};
  for (const Stream& stream : each_path()) {
    Array<> y{x.shape};
    Array<> mean{{2, 2}};
    Array<> rstd{{2, 2}};
    std::vector<std::byte> space(group_norm_workspace(stream, norm, x.shape));
    const auto workspace = [&] { return Workspace(space.data(), space.size()); };
    group_norm_forward(stream, norm, y, mean, rstd, workspace(), x, gamma, beta);
    expect_near(mean.values, {2, 2, 5, 7}, 1e-6);
    expect_near(rstd.values, {0.8944272F, 0.4850713F, 2, 0.4850713F}, 1e-6);
    expect_near(y.values,
                {-0.8944272F, 1.7888544F, -0.9701425F, 10.9701425F, 0, 0, -0.9701425F, 10.9701425F},
                1e-6);

    // One cotangent, at x = 3: n = 0.8944272, dy gamma = 2, of which half is the group's mean.
    const Array<> dy{x.shape, {0, 1, 0, 0, 0, 0, 0, 0}};
    Array<> sums{{2, 2, 4}};
    group_norm_sums(stream, norm, sums, workspace(), dy, x, mean, rstd);
    expect_near(sums.values, {0, 1, 0, 0, 0, 0.8944272F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1e-6);
    Array<> dgamma{{4}, {1, 1, 1, 1}};
    Array<> dbeta{{4}, {1, 1, 1, 1}};
    group_norm_wgrad(stream, dgamma, dbeta, sums);
    expect_near(dgamma.values, {1, 1.8944272F, 1, 1}, 1e-6);
    expect_near(dbeta.values, {1, 2, 1, 1}, 1e-6);
    Array<> dx{x.shape};
    group_norm_dgrad(stream, norm, dx, {}, dy, x, mean, rstd, gamma, sums);
    // rstd (-1 + 0.8944272^2), rstd (2 - 1 - 0.8944272^2)
    expect_near(dx.values, {-0.1788854F, 0.1788854F, 0, 0, 0, 0, 0, 0}, 1e-6);
  }
}

// Sample 0 of the above, through SiLU.
TEST(GroupNorm, SiluHandComputed) {
  const Array<> x{{1, 1, 4}, {1, 3, 0, 4}};
  const Array<> gamma{{4}, {1, 2, 1, 1}};
  const Array<> beta{{4}, {0, 0, 0, 10}};
  const GroupNorm norm{.groups = 2, .eps = 0.25F, .silu = true};
  for (const Stream& stream : each_path()) {
    Array<> y{x.shape}, dz{x.shape}, mean{{1, 2}}, rstd{{1, 2}};
    std::vector<std::byte> space(group_norm_workspace(stream, norm, x.shape));
    group_norm_forward(stream, norm, y, mean, rstd, Workspace(space.data(), space.size()), x, gamma,
                       beta);
    // z = -0.8944272, 1.7888544, -0.9701425, 10.9701425
    expect_near(y.values, {-0.2595601F, 1.5326668F, -0.2666457F, 10.9699537F}, 1e-5);
    const Array<> dy{x.shape, {1, 1, 2, 1}};
    group_norm_dsilu(stream, norm, dz, dy, x, mean, rstd, gamma, beta);
    expect_near(dz.values, {0.1059605F, 1.0762849F, 0.1629891F, 1.0001716F}, 1e-5);
  }
}

TEST(GroupNorm, ErrorsNameGroupsAndShapes) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {2, 3, 8}});
  const Value eight = g.parameter("eight", {8}, Init::ones());
  for (const Index groups : {0, 3, 16})
    expect_error(
        ErrorCode::argument,
        text("group_norm: ", groups, " groups do not divide the 8 channels of x [2, 3, 8]"),
        [&] { group_norm(g, x, eight, eight, {.groups = groups}); });
  const Value empty = g.input("empty", {DType::f32, {0, 3, 8}});
  expect_error(ErrorCode::shape, "group_norm: x [0, 3, 8] has no elements",
               [&] { group_norm(g, empty, eight, eight, {.groups = 2}); });
}

}  // namespace
}  // namespace framefold::test
