// Attention at the lengths of VideoMAE's encoder (160 visible tokens) and decoder (1568).
#include "bench/op_rows.h"

namespace framefold::bench {
namespace {

struct Case {
  const char* name;
  Index batch, tokens, heads, depth;
  bool causal = false;
};

constexpr Case cases[] = {
    {"8x160 6 heads", 8, 160, 6, 64},         {"8x160 12 heads", 8, 160, 12, 64},
    {"2x1568 6 heads", 2, 1568, 6, 64},       {"2x1568 12 heads", 2, 1568, 12, 64},
    {"2x1568 3 heads", 2, 1568, 3, 64},       {"8x160 6 heads of 32", 8, 160, 6, 32},
    {"4x197 16 heads of 80", 4, 197, 16, 80}, {"2x1568 6 heads causal", 2, 1568, 6, 64, true},
};

const bool added = [] {
  for (const Case& c : cases)
    add_op(text("attention/", c.name),
           op_row({{DType::f32, {c.batch, c.tokens, 3 * c.heads * c.depth}}},
                  [&](Graph& g, auto& v) {
                    attention(g, v[0], {.heads = c.heads, .causal = c.causal});
                  }),
           {Pass::forward, Pass::backward, Pass::both});
  return true;
}();

}  // namespace
}  // namespace framefold::bench
