#include "kernels/add_rows.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// With and without a token; rows of less, one and more than a block of columns; numbers twice; rows
// beyond one thread's share.
OP_CASES(add_rows) {
  const auto put = [&](const Shape& x, Index rows, Index masked) {
    OpCase value{.in = {{x}, {rows, x[2]}, {DType::i32, {x[0], x[1]}}},
                 .build =
                     [=](Graph& g, const std::vector<Value>& v) {
                       v.size() > 3 ? add_rows(g, v[0], v[1], v[2], v[3], v[4])
                                    : add_rows(g, v[0], v[1], v[2]);
                     },
                 .fill =
                     [=](int input, Index i, Random random) {
                       const auto at = static_cast<std::uint64_t>(i);
                       return input == 2 || input == 3 ? static_cast<double>(random.below(
                                                             at, static_cast<std::uint32_t>(rows)))
                                                       : static_cast<double>(random.normal(at));
                     }};
    if (masked > 0) {
      value.in.emplace_back(DType::i32, Shape{x[0], masked});
      value.in.emplace_back(Shape{x[2]});
    }
    add(std::move(value));
  };
  for (const Index masked : {0, 9}) {
    put({1, 1, 1}, 1, masked);
    put({2, 5, 3}, 14, masked);
    put({2, 0, 3}, 14, masked);
    put({3, 17, 64}, 40, masked);
    put({2, 30, 130}, 50, masked);
    put({2, 160, 200}, 170, masked);
  }
}

namespace {

TEST(AddRows, HandComputed) {
  const Array<> x{{2, 1, 2}, {1, 2, 3, 4}};
  const Array<> table{{3, 2}, {10, 20, 30, 40, 50, 60}};
  const Array<std::int32_t> index{{2, 1}, {1, 2}};
  const Array<std::int32_t> masked{{2, 2}, {0, 2, 0, 1}};
  const Array<> token{{2}, {-1, -2}};
  for (const Stream& stream : each_path()) {
    Array<> y{{2, 3, 2}};
    add_rows_forward(stream, y, x, table, index, masked, token);
    EXPECT_EQ(y.values, (std::vector<float>{31, 42, 9, 18, 49, 58, 53, 64, 9, 18, 29, 38}));
    const Array<> dy{{2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
    Array<> dx{x.shape};
    add_rows_dgrad(stream, dx, dy);
    EXPECT_EQ(dx.values, (std::vector<float>{1, 2, 7, 8}));
    Array<> dtable{{3, 2}, {100, 0, 0, 0, 0, 0}};
    add_rows_wgrad_table(stream, dtable, dy, index, masked);
    EXPECT_EQ(dtable.values, (std::vector<float>{112, 14, 12, 14, 12, 14}));
    Array<> dtoken{{2}, {0, 1000}};
    add_rows_wgrad_token(stream, dtoken, {}, dy, 1);
    EXPECT_EQ(dtoken.values, (std::vector<float>{28, 1032}));

    Array<> plain{x.shape};
    add_rows_forward(stream, plain, x, table, index, {}, {});
    EXPECT_EQ(plain.values, (std::vector<float>{31, 42, 53, 64}));
  }
}

TEST(AddRows, ErrorsNameTheOperand) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {2, 5, 6}});
  const Value index = g.input("index", {DType::i32, {2, 5}});
  const Value table = g.parameter("table", {9, 7}, Init::zeros());
  expect_error(ErrorCode::shape,
               "add_rows: table is f32 [9, 7], expected f32 [N, 6] to match the rows of x",
               [&] { add_rows(g, x, table, index); });
  const Value positions = g.parameter("positions", {9, 6}, Init::zeros());
  const Value masked = g.input("masked", {DType::i32, {3, 4}});
  const Value token = g.parameter("token", {6}, Init::zeros());
  expect_error(ErrorCode::shape,
               "add_rows: masked is i32 [3, 4], expected i32 [2, K] to match the samples of x",
               [&] { add_rows(g, x, positions, index, masked, token); });
  Array<> y{{1, 1, 1}};
  expect_error(ErrorCode::argument,
               "add_rows: index[0, 0] is 2, expected a row of the table, 0 to 1", [&] {
                 add_rows_forward({}, y, Array<>{{1, 1, 1}, {0}}, Array<>{{2, 1}, {0, 0}},
                                  Array<std::int32_t>{{1, 1}, {2}}, {}, {});
               });
}

}  // namespace
}  // namespace framefold::test
