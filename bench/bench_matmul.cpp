// Matrix products: linear layers of the models (forward with what follows it there), products of
// activations as attention would write them out, and square ones. Rows "vendor" are oneDNN's.
#include "bench/op_rows.h"

namespace framefold::bench {
namespace {

struct Product {
  const char* name;
  Index batch, m, k, n;
  bool transpose_a = false, transpose_b = false;
};

constexpr Product products[] = {
    {"square 1024", 1, 1024, 1024, 1024},
    {"square 1024 B transposed", 1, 1024, 1024, 1024, false, true},
    {"square 1024 A transposed", 1, 1024, 1024, 1024, true},
    {"scores 3136", 1, 3136, 64, 3136, false, true},
    {"scores 12x196", 12, 196, 64, 196, false, true},
    {"mix 12x196", 12, 196, 196, 64},
};

struct Layer {
  const char* name;
  Index rows, from, to;
  bool bias = false;
  Activation activation = {};
};

constexpr Layer layers[] = {
    {"dense 784-32", 256, 784, 32, true, Activation::relu},
    {"dense 32-784", 256, 32, 784, true, Activation::sigmoid},
    {"tokens 384-1536", 1568, 384, 1536, true},
    {"long 64-64", 65536, 64, 64},
    {"lstm 512", 16, 512, 2048},
    {"lstm 2048", 16, 2048, 8192},
};

void add_both(const std::string& name, const OpRow& row, const std::vector<Pass>& passes) {
  add_op(name, row, passes);
#ifdef FRAMEFOLD_ONEDNN
  add_op("vendor/" + name, row, passes, Path::vendor);
#endif
}

const bool added = [] {
  constexpr DType f32 = DType::f32;
  for (const Product& p : products) {
    const Shape a = p.transpose_a ? Shape{p.batch, p.k, p.m} : Shape{p.batch, p.m, p.k};
    const Shape b = p.transpose_b ? Shape{p.batch, p.n, p.k} : Shape{p.batch, p.k, p.n};
    add_both(text("matmul/", p.name),
             op_row({{f32, a}, {f32, b}},
                    [&](Graph& g, auto& v) {
                      matmul(g, v[0], v[1],
                             {.transpose_a = p.transpose_a, .transpose_b = p.transpose_b});
                    }),
             {Pass::forward});
  }
  for (const Layer& l : layers) {
    const TensorType x{f32, {l.rows, l.from}}, weight{f32, {l.from, l.to}}, bias{f32, {l.to}};
    const std::string name = text("matmul/", l.name);
    if (l.bias)
      add_both(name,
               op_row({x, weight, bias},
                      [&](Graph& g, auto& v) { linear(g, v[0], v[1], v[2], l.activation); }),
               {Pass::forward});
    else
      add_both(name, op_row({x, weight}, [](Graph& g, auto& v) { linear(g, v[0], v[1]); }),
               {Pass::forward});
    add_both(name, op_row({x, weight}, [](Graph& g, auto& v) { linear(g, v[0], v[1]); }),
             {Pass::dgrad, Pass::wgrad});
  }
  return true;
}();

}  // namespace
}  // namespace framefold::bench
