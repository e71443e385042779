// The LSTM over 20 steps of a batch of 16, as video models run it, with as many inputs as units.
#include "bench/op_rows.h"

namespace framefold::bench {
namespace {

const bool added = [] {
  constexpr DType f32 = DType::f32;
  for (const Index hidden : {512, 2048})
    add_op(text("lstm/", hidden),
           op_row({{f32, {16, 20, hidden}},
                   {f32, {hidden, 4 * hidden}},
                   {f32, {hidden, 4 * hidden}},
                   {f32, {4 * hidden}}},
                  [](Graph& g, auto& v) { lstm(g, v[0], {.wx = v[1], .wh = v[2], .bias = v[3]}); }),
           {Pass::forward, Pass::both});
  return true;
}();

}  // namespace
}  // namespace framefold::bench
