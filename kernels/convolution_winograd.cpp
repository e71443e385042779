// What each axis transforms, when that is worth it, and the sums for both sides:
//
//   transformed weights, packed in panels, shared by all threads
//   on each thread's share of units, for blocks of them (transformed values and products in the
//   second-level cache):
//     values of the block's units
//     for phases: for products: the register tile over units; then all products back to
//     destinations
#include "kernels/convolution_winograd.h"

#include <algorithm>

#include "kernels/convolution_fast.h"

namespace framefold::winograd {
namespace {

constexpr Index lanes = 16;                     // a product's channels are padded to whole vectors
constexpr Index block_floats = Index{5} << 15;  // 640 KiB of values and products
constexpr Index most_segments = 64;

// Two taps g0, g1 over the pair's values `first` ... of the products 0, 1, 2; the sign is that of
// the first value.
void add_two_taps(Phase& phase, Index first, float sign, std::size_t g0, std::size_t g1) {
  Term difference{first, {}}, middle{first + 1, {}}, last{first + 2, {}};
  difference.taps[g0] = sign;
  middle.taps[g0] = middle.taps[g1] = 1;
  last.taps[g1] = 1;
  const std::array<Term, 3> terms{difference, middle, last};
  for (std::size_t n = 0; n < 3; ++n) phase.products.items[n].add(terms[n]);
  phase.products.count = 3;
  phase.outputs = Kind::sum2;
}

Term one_tap(Index value, std::size_t tap) {
  Term term{value, {}};
  term.taps[tap] = 1;
  return term;
}

Axis three_taps(Index first, Index count, Index extent, bool flipped) {
  Axis axis{.values = {Kind::three, first, 2, extent},
            .tiles = ceil_div(count, 2),
            .step = 2,
            .extent = count};
  const std::array<std::array<float, 4>, 4> taps{
      {{1, 0, 0}, {0.5F, 0.5F, 0.5F}, {0.5F, -0.5F, 0.5F}, {0, 0, 1}}};
  Phase phase;
  for (Index n = 0; n < 4; ++n) {
    Term term{n, taps[static_cast<std::size_t>(n)]};
    if (flipped) std::swap(term.taps[0], term.taps[2]);
    Few<Term, 4> product;
    product.add(term);
    phase.products.add(product);
  }
  phase.outputs = Kind::sum3;
  axis.phases.add(phase);
  return axis;
}

Axis strided_coarse(const Convolution& c, std::size_t n) {
  const bool four = c.kernel[n] == 4;
  Axis axis{.values = {four ? Kind::coarse4 : Kind::coarse3, -c.padding[n], 4, c.fine[n]},
            .tiles = ceil_div(c.coarse[n], 2),
            .step = 2,
            .extent = c.coarse[n]};
  Phase phase;
  add_two_taps(phase, 0, 1, 0, 2);
  if (four) {
    add_two_taps(phase, 3, 1, 1, 3);
  } else {
    phase.products.items[0].add(one_tap(3, 1));
    phase.products.items[2].add(one_tap(4, 1));
  }
  axis.phases.add(phase);
  return axis;
}

// Odd padding: fine position 2 g sees the coarse ones around g + near by the odd taps, 2 g + 1
// those half a step on by the even ones.
Axis strided_fine(const Convolution& c, std::size_t n) {
  const Index near = (c.padding[n] - 1) / 2;
  const bool four = c.kernel[n] == 4;
  Axis axis{.values = four ? Values{Kind::fine4, near - 1, 2, c.coarse[n]}
                           : Values{Kind::fine3, near, 2, c.coarse[n]},
            .tiles = ceil_div(c.fine[n], 4),
            .step = 4,
            .spacing = 2,
            .extent = c.fine[n]};
  Phase even{.first = 0}, odd{.first = 1};
  if (four) {
    add_two_taps(even, 0, 1, 3, 1);
    add_two_taps(odd, 2, -1, 2, 0);
  } else {
    add_two_taps(odd, 0, 1, 2, 0);
    even.products.items[0].add(one_tap(3, 1));
    even.products.items[1].add(one_tap(1, 1));
    even.products.count = 2;
    even.outputs = Kind::copy2;
  }
  axis.phases.add(even);
  axis.phases.add(odd);
  return axis;
}

// As it is: each destination of a phase is a tile, and each tap has its value.
Axis direct(const Convolution& c, std::size_t n, bool to_fine) {
  Axis axis{.step = to_fine ? c.stride[n] : 1, .extent = to_fine ? c.fine[n] : c.coarse[n]};
  std::array<GatherAxis, 2> gathers{};
  const auto phases = static_cast<std::size_t>(to_fine ? c.stride[n] : 1);
  Index lowest = c.coarse[n], highest = -c.padding[n];
  for (std::size_t p = 0; p < phases; ++p) {
    gathers[p] = to_fine ? fine_axis(c, n, static_cast<Index>(p)) : coarse_axis(c, n);
    lowest = std::min(lowest, gathers[p].offset);
    highest = std::max(highest, gathers[p].offset + gathers[p].taps - 1);
    axis.tiles = std::max(axis.tiles, gathers[p].count);
  }
  constexpr std::array<Kind, 4> copies{Kind::copy1, Kind::copy2, Kind::copy3, Kind::copy4};
  axis.values = {copies.at(static_cast<std::size_t>(highest - lowest)), lowest, gathers[0].in_step,
                 gathers[0].extent};
  for (std::size_t p = 0; p < phases; ++p) {
    const GatherAxis& g = gathers[p];
    Few<Term, 4> terms;
    for (Index m = 0; m < g.taps; ++m)
      terms.add(one_tap(g.offset + m - lowest, static_cast<std::size_t>(g.tap_of(m))));
    Phase phase{.first = g.first};
    phase.products.add(terms);
    axis.phases.add(phase);
  }
  return axis;
}

Axis transformed(const Convolution& c, std::size_t n, bool to_fine) {
  if (c.stride[n] == 2) return to_fine ? strided_fine(c, n) : strided_coarse(c, n);
  return to_fine ? three_taps(c.padding[n] - 2, c.fine[n], c.coarse[n], true)
                 : three_taps(-c.padding[n], c.coarse[n], c.fine[n], false);
}

// Of a product: one panel of columns.
Index row_floats(const Plan& plan) {
  return std::min<Index>(ceil_div(plan.cols, lanes) * lanes,
                         ceil_div(micro_kernel().cols, lanes) * lanes);
}

Index most_products_of(const Plan& plan) {
  Index most = 1;
  for (const Axis& axis : plan.axes) {
    Index own = 0;
    for (const Phase& phase : axis.phases) own = std::max(own, phase.products.size());
    most *= own;
  }
  return most;
}

Index block_units(const Stream& stream, const Plan& plan) {
  const Index unit = plan.values * plan.depth + most_products_of(plan) * row_floats(plan);
  const Index rows = micro_kernel().rows;
  const Index fit = std::max<Index>(2, block_floats / unit / rows) * rows;
  return std::min(fit, ceil_div(plan.units, stream.threads));
}

Index value_floats(const Stream& stream, const Plan& plan) {
  return plan.values * value_step(block_units(stream, plan), plan.depth);
}

// Values, products and, before, one transformed weight of a thread.
Index own_floats(const Stream& stream, const Plan& plan) {
  const Index products =
      most_products_of(plan) * value_step(block_units(stream, plan), row_floats(plan));
  return std::max(value_floats(stream, plan) + products,
                  ceil_div(plan.depth * plan.cols, lanes) * lanes);
}

Index packed_floats(const Plan& plan) { return plan.numbers * packed_size(plan.depth, plan.cols); }

// Transformed weights [first, last) in panels.
void pack(const Plan& plan, const float* weight, float* packed, float* own, Index first,
          Index last) {
  const Convolution& c = plan.c;
  const Index size = plan.depth * plan.cols;
  for_terms(plan.axes, [&](Index number, Index, Index, Index, auto&& share) {
    if (number < first || number >= last) return;
    std::fill(own, own + size, 0.0F);
    for (Index kt = 0; kt < c.kernel[0]; ++kt)
      for (Index kh = 0; kh < c.kernel[1]; ++kh)
        for (Index kw = 0; kw < c.kernel[2]; ++kw)
          if (const float scale = share(kt, kh, kw); scale != 0)
            add_scaled(own, weight + ((kt * c.kernel[1] + kh) * c.kernel[2] + kw) * size, scale,
                       size);
    pack_panels(packed + number * packed_size(plan.depth, plan.cols), own, c.coarse_channels,
                plan.pass == Pass::to_fine, plan.depth, plan.cols, 0, panel_count(plan.cols));
  });
}

class Block {
 public:
  Block(const Plan& plan, const float* source, const float* packed, const float* zeros,
        const float* bias, float* out, float* values, float* products)
      : plan_(plan),
        kernel_(micro_kernel()),
        source_(source),
        packed_(packed),
        zeros_(zeros),
        bias_(bias),
        out_(out),
        values_(values),
        products_(products) {}

  // Units [first, first + count), all of one tile of T.
  void run(Index first, Index count) {
    first_ = first;
    count_ = count;
    tile_t_ = first / plan_.units_of_t();
    transform(plan_, {&plan_.axes[0].values, &plan_.axes[1].values, &plan_.axes[2].values}, first,
              count, plan_.depth, source_, zeros_, values_, value_step(count, plan_.depth));
    const Index inner = plan_.axes[1].values.count * plan_.axes[2].values.count;
    for (panel_ = 0; panel_ < panel_count(plan_.cols); ++panel_) {
      Index phase_at = 0, product_at = 0;
      used_ = 0;
      for_terms(plan_.axes, [&](Index number, Index phase, Index product, Index value, auto&&) {
        if (phase != phase_at || product != product_at) multiply(product_at);
        if (phase != phase_at) finish(phase_at);
        phase_at = phase;
        product_at = product;
        if (!plan_.axes[0].values.sees(tile_t_, value / inner)) return;
        at_[used_] = {0, value * value_step(count_, plan_.depth)};
        b_[used_++] = packed_ + number * packed_size(plan_.depth, plan_.cols) +
                      panel_ * kernel_.cols * plan_.depth;
      });
      multiply(product_at);
      finish(phase_at);
    }
  }

 private:
  Index columns() const {
    return std::min<Index>(kernel_.cols, plan_.cols - panel_ * kernel_.cols);
  }

  void multiply(Index product) {
    const Index tiles = ceil_div(count_, kernel_.rows);
    const Index row = row_floats(plan_);
    for (Index tile = 0; tile < tiles; ++tile) {
      const Index begin = count_ * tile / tiles;
      const Index rows = count_ * (tile + 1) / tiles - begin;
      std::array<const float*, micro_rows_max> a;
      for (Index i = 0; i < rows; ++i)
        a[static_cast<std::size_t>(i)] = values_ + (begin + i) * plan_.depth;
      kernel_.run(static_cast<int>(rows), static_cast<int>(columns()),
                  {.a = a.data(),
                   .at = at_.data(),
                   .b = b_.data(),
                   .segments = static_cast<Index>(used_),
                   .depth = plan_.depth,
                   .b_step = kernel_.cols,
                   .c = products_ + product * value_step(count_, row) + begin * row,
                   .ldc = row});
    }
    used_ = 0;
  }

  void finish(Index number) {
    const auto& [t, h, w] = plan_.axes;
    const Phase& pt = t.phases[number / w.phases.size() / h.phases.size()];
    const Phase& ph = h.phases[number / w.phases.size() % h.phases.size()];
    const Phase& pw = w.phases[number % w.phases.size()];
    const Index row = row_floats(plan_);
    const Index col = panel_ * kernel_.cols;
    for (Index i = 0; i < count_; ++i) {
      const Unit unit(plan_, first_ + i);
      std::array<float*, 8> rows;
      std::size_t used = 0;
      for (Index ot = 0; ot < pt.count(); ++ot)
        for (Index oh = 0; oh < ph.count(); ++oh)
          for (Index ow = 0; ow < pw.count(); ++ow) {
            const Index at = pt.first + t.spacing * ot + t.step * unit.tile[0];
            const Index ah = ph.first + h.spacing * oh + h.step * unit.tile[1];
            const Index aw = pw.first + w.spacing * ow + w.step * unit.tile[2];
            const bool inside = at < t.extent && ah < h.extent && aw < w.extent;
            const Index position = ((unit.b * t.extent + at) * h.extent + ah) * w.extent + aw;
            rows[used++] = inside ? out_ + position * plan_.cols + col : nullptr;
          }
      destinations({&pt, &ph, &pw}, products_ + i * row, value_step(count_, row), columns(),
                   bias_ ? bias_ + col : nullptr, rows.data());
      for (std::size_t n = 0; n < used; ++n)
        if (rows[n]) activate_tile(plan_.c.activation, rows[n], 0, 1, columns());
    }
  }

  const Plan& plan_;
  const MicroKernel& kernel_;
  const float* source_;
  const float* packed_;
  const float* zeros_;
  const float* bias_;
  float* out_;
  float* values_;    // [value][unit][channel]
  float* products_;  // [product][unit][channel]
  Index first_ = 0, count_ = 0, tile_t_ = 0, panel_ = 0;
  std::size_t used_ = 0;
  std::array<MicroRows, most_segments> at_;
  std::array<const float*, most_segments> b_;
};

}  // namespace

bool transforms(const Convolution& c, std::size_t n, bool to_fine) {
  if (c.dilation[n] != 1) return false;
  if (c.stride[n] == 1) return c.kernel[n] == 3;
  return c.stride[n] == 2 && (c.kernel[n] == 3 || c.kernel[n] == 4) &&
         (!to_fine || c.padding[n] % 2 == 1);
}

double Axis::terms(bool seen) const {
  Index sum = 0;
  for (const Phase& phase : phases)
    for (const auto& product : phase.products)
      for (const Term& term : product)
        for (Index tile = 0; tile < tiles; ++tile) sum += !seen || values.sees(tile, term.value);
  return static_cast<double>(sum);
}

Plan::Plan(const Convolution& c, Pass pass)
    : c(c), pass(pass), depth(c.fine_channels), cols(c.coarse_channels) {
  const bool to_fine = pass == Pass::to_fine;
  if (to_fine) std::swap(depth, cols);
  const bool plain =
      c.dilation[0] == 1 && c.stride[0] <= 2 && c.stride[0] <= c.kernel[0] && c.kernel[0] <= 4;
  fits = c.groups == 1 && plain && transforms(c, 1, to_fine) && transforms(c, 2, to_fine);
  if (!fits) return;
  const std::array<Axis, 3> plains{direct(c, 0, to_fine), direct(c, 1, to_fine),
                                   direct(c, 2, to_fine)};
  axes = {plains[0], transformed(c, 1, to_fine), transformed(c, 2, to_fine)};
  if (transforms(c, 0, to_fine)) {
    const Axis t = transformed(c, 0, to_fine);
    if (t.terms(true) < 0.95 * plains[0].terms(true)) axes[0] = t;
  }
  units = axes[0].tiles * units_of_t();
  values = 1;
  for (const Axis& axis : axes) values *= axis.values.count;
  for_terms(axes, [&](Index number, auto&&...) { numbers = number + 1; });
  worth = depth >= 8 && cols >= 8 && faster(plains);
}

// Times in multiplications of a vector of 16, as measured: each vector of values and of products
// moved costs `moving`, each one of transformed weights `making`.
bool Plan::faster(const std::array<Axis, 3>& direct) {
  constexpr double moving = 17;
  constexpr double making = 12;
  const auto vectors = [](Index channels) { return static_cast<double>(ceil_div(channels, 16)); };
  double direct_products = 1, products = 1, results = 1;
  for (std::size_t n = 0; n < 3; ++n) {
    direct_products *= direct[n].terms(true);
    products *= axes[n].terms(n == 0);
    Index own = 0;
    for (const Phase& phase : axes[n].phases) own += phase.products.size();
    results *= static_cast<double>(own);
  }
  const double each = static_cast<double>(c.batch * depth) * vectors(cols);
  const double moved = static_cast<double>(units) *
                       (static_cast<double>(values) * vectors(depth) + results * vectors(cols));
  const double made = static_cast<double>(numbers * depth) * vectors(cols);
  cost = products * each + moving * moved + making * made;
  return cost < 0.95 * direct_products * each;
}

Unit::Unit(const Plan& plan, Index number) {
  const Index w = plan.axes[2].tiles;
  const Index h = plan.axes[1].tiles;
  tile = {number / plan.units_of_t(), number / w % h, number % w};
  b = number / w / h % plan.c.batch;
}

Bytes sum_workspace(const Stream& stream, const Plan& plan) {
  const auto bytes = [](Index floats) {
    return Workspace::padded(static_cast<Bytes>(floats) * sizeof(float));
  };
  return bytes(plan.depth) + bytes(packed_floats(plan)) +
         bytes(stream.threads * own_floats(stream, plan));
}

void sum(const Stream& stream, const Plan& plan, Tensor out, Workspace workspace, View source,
         View weight, View bias) {
  float* zeros = workspace.take<float>(plan.depth);
  float* packed = workspace.take<float>(packed_floats(plan));
  float* own = workspace.take<float>(stream.threads * own_floats(stream, plan));
  std::fill(zeros, zeros + plan.depth, 0.0F);
  const auto for_parts = [&](auto&& body) {
    parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
      for (Index part = first; part < last; ++part)
        body(part, own + part * own_floats(stream, plan));
    });
  };
  for_parts([&](Index part, float* mine) {
    pack(plan, weight.as<float>(), packed, mine, plan.numbers * part / stream.threads,
         plan.numbers * (part + 1) / stream.threads);
  });
  const Index most = block_units(stream, plan);
  for_parts([&](Index part, float* mine) {
    Block block(plan, source.as<float>(), packed, zeros, bias ? bias.as<float>() : nullptr,
                out.as<float>(), mine, mine + value_floats(stream, plan));
    const Index end = plan.units * (part + 1) / stream.threads;
    for (Index first = plan.units * part / stream.threads; first < end;) {
      const Index frame = (first / plan.units_of_t() + 1) * plan.units_of_t();
      const Index count = std::min({most, end - first, frame - first});
      block.run(first, count);
      first += count;
    }
  });
}

}  // namespace framefold::winograd
