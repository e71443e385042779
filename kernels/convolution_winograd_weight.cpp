// The weights' gradient by minimal filtering:
//
//   for blocks of units (all threads share them):
//     transformed sources [value][unit][channel] and destinations [product][unit][channel]
//     for transformed weights: += the register tile, summed over the block's units
//   weights += each tap's share in the transformed ones
#include <algorithm>

#include "kernels/convolution_fast.h"
#include "kernels/convolution_winograd.h"

namespace framefold::winograd {
namespace {

constexpr Index block_floats = Index{1} << 18;  // 1 MiB of sources and destinations
constexpr Index grain = 256;                    // channel pairs that a thread finishes at least

Index products_of(const Plan& plan) {
  Index products = 1;
  for (const Axis& axis : plan.axes) products *= axis.phases[0].products.size();
  return products;
}

Index block_units(const Plan& plan) {
  const Index unit = plan.values * plan.depth + products_of(plan) * plan.cols;
  return std::min(std::max<Index>(64, block_floats / unit), plan.units_of_t());
}

Index shared_floats(const Plan& plan) {
  const Index units = block_units(plan);
  return plan.values * value_step(units, plan.depth) +
         products_of(plan) * value_step(units, plan.cols);
}

// sums [channel of the source][channel written] of one transformed weight += the block's.
void multiply(const Plan& plan, float* sums, const float* sources, const float* destinations,
              Index units, bool accumulate) {
  const MicroKernel& kernel = micro_kernel();
  const Index tiles = ceil_div(plan.depth, kernel.rows);
  for (Index col = 0; col < plan.cols; col += kernel.cols)
    for (Index tile = 0; tile < tiles; ++tile) {
      const Index begin = plan.depth * tile / tiles;
      const Index rows = plan.depth * (tile + 1) / tiles - begin;
      std::array<const float*, micro_rows_max> a{};
      for (Index i = 0; i < rows; ++i) a[static_cast<std::size_t>(i)] = sources + begin + i;
      const float* b = destinations + col;
      kernel.run(static_cast<int>(rows),
                 static_cast<int>(std::min<Index>(kernel.cols, plan.cols - col)),
                 {.a = a.data(),
                  .b = &b,
                  .segments = 1,
                  .depth = units,
                  .a_step = plan.depth,
                  .b_step = plan.cols,
                  .c = sums + begin * plan.cols + col,
                  .ldc = plan.cols,
                  .accumulate = accumulate});
    }
}

}  // namespace

Values transposed(const Axis& axis) {
  const auto kind_of = [](Kind outputs) {
    switch (outputs) {
      case Kind::sum2: return Kind::pair2;
      case Kind::sum3: return Kind::pair3;
      case Kind::sum_quad3: return Kind::pair_quad3;
      case Kind::sum_coarse_quad: return Kind::pair_coarse_quad;
      default: return outputs;
    }
  };
  return {kind_of(axis.phases[0].outputs), axis.phases[0].first, axis.step, axis.extent};
}

Bytes weight_workspace(const Plan& plan) {
  const auto bytes = [](Index floats) {
    return Workspace::padded(static_cast<Bytes>(floats) * sizeof(float));
  };
  return bytes(std::max(plan.depth, plan.cols)) + bytes(shared_floats(plan)) +
         bytes(plan.numbers * plan.depth * plan.cols);
}

void weight_from_both(const Stream& stream, const Plan& plan, Tensor weight, Workspace workspace,
                      View fine, View coarse) {
  const Extents& kernel = plan.c.kernel;
  const Index size = plan.depth * plan.cols;
  float* zeros = workspace.take<float>(std::max(plan.depth, plan.cols));
  float* sources = workspace.take<float>(shared_floats(plan));
  float* sums = workspace.take<float>(plan.numbers * size);
  std::fill(zeros, zeros + std::max(plan.depth, plan.cols), 0.0F);
  const std::array<const Values*, 3> from{&plan.axes[0].values, &plan.axes[1].values,
                                          &plan.axes[2].values};
  const std::array<Values, 3> backward{transposed(plan.axes[0]), transposed(plan.axes[1]),
                                       transposed(plan.axes[2])};
  const std::array<const Values*, 3> to{&backward[0], &backward[1], &backward[2]};

  const Index most = block_units(plan);
  for (Index first = 0; first < plan.units;) {
    const Index tile_t = first / plan.units_of_t();
    const Index count = std::min(most, (tile_t + 1) * plan.units_of_t() - first);
    float* destinations = sources + plan.values * value_step(count, plan.depth);
    parallel_for(stream, count, 4, [&](Index begin, Index end) {
      transform(plan, from, first + begin, end - begin, plan.depth, fine.as<float>(), zeros,
                sources + begin * plan.depth, value_step(count, plan.depth));
      transform(plan, to, first + begin, end - begin, plan.cols, coarse.as<float>(), zeros,
                destinations + begin * plan.cols, value_step(count, plan.cols));
    });
    const Index inner = from[1]->count * from[2]->count;
    parallel_for(stream, plan.numbers, 1, [&](Index begin, Index end) {
      for_terms(plan.axes, [&](Index number, Index, Index product, Index value, auto&&) {
        if (number < begin || number >= end) return;
        const bool seen = from[0]->sees(tile_t, value / inner);
        if (!seen && first > 0) return;
        multiply(plan, sums + number * size, sources + value * value_step(count, plan.depth),
                 destinations + product * value_step(count, plan.cols), seen ? count : 0,
                 first > 0);
      });
    });
    first += count;
  }

  parallel_for(stream, size, grain, [&](Index begin, Index end) {
    for_terms(plan.axes, [&](Index number, Index, Index, Index, auto&& share) {
      for (Index kt = 0; kt < kernel[0]; ++kt)
        for (Index kh = 0; kh < kernel[1]; ++kh)
          for (Index kw = 0; kw < kernel[2]; ++kw)
            if (const float scale = share(kt, kh, kw); scale != 0)
              add_scaled(
                  weight.as<float>() + ((kt * kernel[1] + kh) * kernel[2] + kw) * size + begin,
                  sums + number * size + begin, scale, end - begin);
    });
  });
}

}  // namespace framefold::winograd
