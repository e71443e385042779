#include "kernels/scale.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold {

OP_CASES(scale) {
  for (const Index n : {1, 17, 40011})
    add({.in = {{n}},
         .build = [](Graph& g, const std::vector<Value>& v) { scale(g, v[0], -2.5, 0.5); }});
  add({.in = {{3, 2, 5}},
       .build = [](Graph& g, const std::vector<Value>& v) { scale(g, v[0], 0.25); }});
}

namespace test {
namespace {

TEST(Scale, HandComputed) {
  for (const Stream& stream : each_path()) {
    Array<> y{{3}};
    scale(stream, 2, -1, y, Array<>{{3}, {1, -2, 0.5F}});
    EXPECT_EQ(y.values, (std::vector<float>{1, -5, 0}));
  }
}

}  // namespace
}  // namespace test
}  // namespace framefold
