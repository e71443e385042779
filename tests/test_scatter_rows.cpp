#include "kernels/scatter_rows.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// With and without a token; every place taken, and few; rows beyond one thread's share.
OP_CASES(scatter_rows) {
  const auto put = [&](const Operand& x, Index rows, bool token) {
    const Index picks = x.shape[1];
    OpCase value{
        .in = {x, {DType::i32, {x.shape[0], picks}}},
        .build =
            [=](Graph& g, const std::vector<Value>& v) {
              scatter_rows(g, v[0], v[1], rows, token ? v[2] : Value{});
            },
        .fill =
            [=](int input, Index i, Random random) {
              // 7 has no divisor in common with any of the numbers of rows.
              return input == 1 ? static_cast<double>((i % picks * 7 + i / picks) % rows)
                                : static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
            }};
    if (token) value.in.emplace_back(Shape(x.shape.begin() + 2, x.shape.end()));
    add(std::move(value));
  };
  for (const bool token : {false, true}) {
    put({1, 1, 1}, 1, token);
    put({2, 5, 3}, 16, token);
    put({2, 0, 3}, 4, token);
    put({3, 17, 4}, 17, token);
    put({2, 4}, 5, token);
    put({2, 3, 16}, 6, token);
    put({2, 30, 9, 50}, 40, token);
  }
}

namespace {

TEST(ScatterRows, HandComputed) {
  const Array<> x{{2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}};
  const Array<std::int32_t> index{{2, 2}, {2, 0, 1, 2}};
  const Array<> token{{2}, {-1, -2}};
  for (const Stream& stream : each_path()) {
    Array<> y{{2, 3, 2}};
    Array<std::int32_t> source{{2, 3}};
    scatter_rows_forward(stream, y, source, x, index, token);
    EXPECT_EQ(y.values, (std::vector<float>{3, 4, -1, -2, 1, 2, -1, -2, 5, 6, 7, 8}));
    EXPECT_EQ(source.values, (std::vector<std::int32_t>{1, -1, 0, -1, 0, 1}));
    Array<> dx{x.shape};
    scatter_rows_dgrad(stream, dx, y, source);
    EXPECT_EQ(dx.values, x.values);
    Array<> dtoken{{2}, {10, 20}};
    std::vector<std::byte> space(scatter_rows_wgrad_workspace(stream, Tensor(y).type()));
    scatter_rows_wgrad(stream, dtoken, {space.data(), space.size()}, y, source);
    EXPECT_EQ(dtoken.values, (std::vector<float>{8, 16}));
    scatter_rows_forward(stream, y, source, x, index, {});
    EXPECT_EQ(y.values, (std::vector<float>{3, 4, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8}));
  }
}

TEST(ScatterRows, ErrorsNameTheIndex) {
  const Array<> x{{1, 2, 1}, {1, 2}};
  Array<> y{{1, 3, 1}};
  Array<std::int32_t> source{{1, 3}};
  expect_error(ErrorCode::argument, "scatter_rows: index[0, 0] is 3, expected a row of y, 0 to 2",
               [&] {
                 scatter_rows_forward({}, y, source, x, Array<std::int32_t>{{1, 2}, {3, 0}}, {});
               });
  expect_error(ErrorCode::argument,
               "scatter_rows: index[0, 0] and index[0, 1] are both 2, expected every row of a "
               "sample once",
               [&] {
                 scatter_rows_forward({}, y, source, x, Array<std::int32_t>{{1, 2}, {2, 2}}, {});
               });
  Graph g;
  const Value rows = g.input("rows", {DType::f32, {4, 5, 6}});
  const Value index = g.input("index", {DType::i32, {4, 5}});
  const Value token = g.parameter("token", {7}, Init::zeros());
  expect_error(ErrorCode::argument, "scatter_rows: 5 rows a sample do not fit into 4",
               [&] { scatter_rows(g, rows, index, 4); });
  expect_error(ErrorCode::shape,
               "scatter_rows: token is f32 [7], expected f32 [6] to match a row of x",
               [&] { scatter_rows(g, rows, index, 9, token); });
}

}  // namespace
}  // namespace framefold::test
