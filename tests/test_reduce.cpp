#include "kernels/reduce.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// Rows, columns and what is between; few, narrow and many columns; short and long sums, among the
// threads and within one; axes that are not neighbours.
OP_CASES(reduce) {
  const auto over = [&](const Operand& x, const std::vector<int>& axes, Reduction kind) {
    add({.in = {x},
         .build = [=](Graph& g, const std::vector<Value>& v) { reduce(g, v[0], kind, axes); }});
  };
  for (const Reduction kind : {Reduction::sum, Reduction::mean}) {
    over({1}, {0}, kind);
    over({3, 5, 7}, {}, kind);
    over({3, 5, 7}, {2}, kind);
    over({3, 5, 7}, {0, 1}, kind);
    over({3, 5, 7}, {-2}, kind);
  }
  over({2, 3, 4, 5, 6}, {0, 2, 3}, Reduction::mean);
  over({2, 3, 4, 5, 6}, {1, 4}, Reduction::sum);
  over({33000}, {}, Reduction::mean);
  over({33, 1030}, {1}, Reduction::mean);
  over({6000, 3}, {0}, Reduction::mean);
  over({2, 300, 63}, {1}, Reduction::mean);
  over({300, 64}, {0}, Reduction::mean);
  over({1, 70, 1100}, {1}, Reduction::mean);
}

namespace {

TEST(Reduce, HandComputed) {
  const Array<> x{{2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  for (const Stream& stream : each_path()) {
    const auto reduced = [&](Reduction kind, const Shape& shape, const std::vector<int>& axes) {
      std::vector<std::byte> space(reduce_forward_workspace(stream, View(x).type(), axes));
      Array<> y{shape};
      reduce_forward(stream, kind, y, {space.data(), space.size()}, x, axes);
      return y.values;
    };
    EXPECT_EQ(reduced(Reduction::sum, {2, 2}, {1}), (std::vector<float>{9, 12, 27, 30}));
    EXPECT_EQ(reduced(Reduction::mean, {2, 2}, {1}), (std::vector<float>{3, 4, 9, 10}));
    EXPECT_EQ(reduced(Reduction::mean, {3}, {0, 2}), (std::vector<float>{4.5, 6.5, 8.5}));
    EXPECT_EQ(reduced(Reduction::sum, {}, {0, 1, 2}), (std::vector<float>{78}));
    Array<> dx{x.shape};
    reduce_dgrad(stream, Reduction::mean, dx, Array<>{{2, 2}, {3, 6, 9, 12}}, std::vector<int>{1});
    EXPECT_EQ(dx.values, (std::vector<float>{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}));
  }
}

// Sixteen million and one ones pass what f32 counts to.
TEST(Reduce, LongSumsKeepTheirDigits) {
  const Array<> x{{16777217 + 1024}, std::vector<float>(16777217 + 1024, 1.0F)};
  Array<> y{{}};
  const Stream stream{.device = {}, .threads = 2};
  const std::vector<int> axes{0};
  std::vector<std::byte> space(reduce_forward_workspace(stream, View(x).type(), axes));
  reduce_forward(stream, Reduction::mean, y, {space.data(), space.size()}, x, axes);
  EXPECT_EQ(y.values[0], 1);
}

TEST(Reduce, ErrorsNameTheAxes) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {4, 5}});
  expect_error(ErrorCode::argument, "reduce: axis 2 is none of x [4, 5], expected -2 to 1",
               [&] { reduce(g, x, Reduction::sum, {2}); });
  expect_error(ErrorCode::argument,
               "reduce: the axes (1, 1) of x [4, 5], expected at least one and none twice", [&] {
                 reduce(g, x, Reduction::sum, {-1, 1});
               });
}

}  // namespace
}  // namespace framefold::test
