#include "kernels/slice.h"

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// Every axis; parts at the front, in the middle and at the end; blocks of every copied size and
// beyond what one thread takes.
OP_CASES(slice) {
  const auto part = [&](const Operand& x, int axis, Index begin, Index end) {
    add({.in = {x}, .build = [=](Graph& g, const std::vector<Value>& v) {
           slice(g, v[0], axis, begin, end);
         }});
  };
  part({4, 5, 6}, 0, 1, 3);
  part({4, 5, 6}, 1, 0, 5);
  part({4, 5, 6}, 1, 4, 5);
  for (const Index width : {1, 2, 3, 4, 5}) part({3, 7, 6}, -1, 1, 1 + width);
  part({1}, 0, 0, 1);
  part({3, 300, 100}, 1, 17, 290);
  part({DType::u8, {5, 9}}, 1, 2, 4);
  part({DType::i32, {5, 9}}, 0, 2, 4);
}

namespace {

TEST(Slice, HandComputed) {
  const Array<> x{{2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  for (const Stream& stream : each_path()) {
    Array<> y{{2, 2, 2}};
    slice_forward(stream, y, x, 1, 1);
    EXPECT_EQ(y.values, (std::vector<float>{3, 4, 5, 6, 9, 10, 11, 12}));
    Array<> dx{{2, 3, 2}};
    slice_dgrad(stream, dx, y, 1, 1);
    EXPECT_EQ(dx.values, (std::vector<float>{0, 0, 3, 4, 5, 6, 0, 0, 9, 10, 11, 12}));
  }
}

TEST(Slice, ErrorsNameTheAxisAndThePart) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {4, 5}});
  expect_error(ErrorCode::argument, "slice: axis 2 is none of x [4, 5], expected -2 to 1",
               [&] { slice(g, x, 2, 0, 1); });
  for (const auto& [begin, end] : {std::pair<Index, Index>{-1, 2}, {3, 3}, {2, 6}})
    expect_error(ErrorCode::argument,
                 text("slice: the part ", begin, " to ", end,
                      " of axis 1 of x [4, 5] is empty or passes its ends, expected 0 <= begin < "
                      "end <= 5"),
                 [&, begin = begin, end = end] { slice(g, x, 1, begin, end); });
}

}  // namespace
}  // namespace framefold::test
