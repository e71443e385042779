#include "kernels/gather_rows.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// Rows picked never, once and often; more and fewer picks than rows; rows beyond one thread's
// share.
OP_CASES(gather_rows) {
  const auto pick = [&](const Operand& x, Index picks) {
    const auto rows = static_cast<std::uint32_t>(x.shape[1]);
    add({.in = {x, {DType::i32, {x.shape[0], picks}}},
         .build = [](Graph& g, const std::vector<Value>& v) { gather_rows(g, v[0], v[1]); },
         .fill =
             [=](int input, Index i, Random random) {
               const auto at = static_cast<std::uint64_t>(i);
               return input == 1 ? static_cast<double>(random.below(at, rows))
                                 : static_cast<double>(random.normal(at));
             }});
  };
  pick({1, 1, 1}, 1);
  pick({2, 5, 3}, 17);
  pick({2, 5, 3}, 0);
  pick({3, 17, 4}, 5);
  pick({2, 6}, 4);
  pick({2, 40, 9, 50}, 90);
  pick({1, 300, 128}, 300);
}

namespace {

TEST(GatherRows, HandComputed) {
  const Array<> x{{2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  const Array<std::int32_t> index{{2, 3}, {2, 0, 2, 1, 1, 1}};
  for (const Stream& stream : each_path()) {
    Array<> y{{2, 3, 2}};
    gather_rows_forward(stream, y, x, index);
    EXPECT_EQ(y.values, (std::vector<float>{5, 6, 1, 2, 5, 6, 9, 10, 9, 10, 9, 10}));
    Array<> dx{x.shape};
    std::vector<std::byte> space(gather_rows_dgrad_workspace(x.shape, index.shape));
    gather_rows_dgrad(stream, dx, {space.data(), space.size()}, x, index);
    EXPECT_EQ(dx.values, (std::vector<float>{3, 4, 0, 0, 6, 8, 0, 0, 27, 30, 0, 0}));
  }
}

TEST(GatherRows, AnIndexWithoutPicksGivesNoGradient) {
  const Shape x{2, 3, 2};
  const Array<std::int32_t> index{{2, 0}, {}};
  for (const Stream& stream : each_path()) {
    Array<> dx{x, std::vector<float>(12, 7.0F)};
    std::vector<std::byte> space(gather_rows_dgrad_workspace(x, index.shape));
    gather_rows_dgrad(stream, dx, {space.data(), space.size()}, Array<>{{2, 0, 2}}, index);
    EXPECT_EQ(dx.values, std::vector<float>(12, 0.0F));
  }
}

TEST(GatherRows, ErrorsNameTheIndex) {
  const Array<> x{{1, 3, 1}, {1, 2, 3}};
  Array<> y{{1, 2, 1}};
  for (const std::int32_t wrong : {-1, 3})
    expect_error(ErrorCode::argument,
                 text("gather_rows: index[0, 1] is ", wrong, ", expected a row of x, 0 to 2"), [&] {
                   gather_rows_forward({}, y, x, Array<std::int32_t>{{1, 2}, {0, wrong}});
                 });
  Graph g;
  const Value clip = g.input("clip", {DType::f32, {4, 5, 6}});
  const Value index = g.input("index", {DType::i32, {3, 2}});
  expect_error(ErrorCode::shape,
               "gather_rows: index is i32 [3, 2], expected i32 [4, 2] to match the samples of x",
               [&] { gather_rows(g, clip, index); });
}

}  // namespace
}  // namespace framefold::test
