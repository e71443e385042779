// Convolutions with fewer products by minimal filtering (Winograd 1980; Lavin and Gray 2016): f32,
// dilation 1, one group. A tile is a pair of destinations on each axis; what its products sum over
// channels and taps are transformed values, additions of a few sources:
//
//   two taps    y0 = d0 g0 + d1 g1 = m0 + m1             m0 = (d0 - d1) g0
//               y1 = d1 g0 + d2 g1 = m1 + m2             m1 = d1 (g0 + g1)
//                                                        m2 = (d2 - d1) g1
//   three taps  y0 = d0 g0 + d1 g1 + d2 g2               m0 = (d0 - d2) g0
//                  = m0 + m1 + m2                        m1 = (d1 + d2) (g0 + g1 + g2) / 2
//               y1 = d1 g0 + d2 g1 + d3 g2               m2 = (d2 - d1) (g0 - g1 + g2) / 2
//                  = m1 - m2 + m3                        m3 = (d3 - d1) g2
//
// A stride of 2 is several such filters: on the coarse side one for each parity of the sources,
// whose products are summed before they are transformed back; on the fine side one for each parity
// of the destinations. The axes nest; T may stay as it is (each frame a tile, its taps summed).
//
//   kernel  stride   products for those of the direct sum, by transformed axis
//   3       1        4 for 6
//   4       2        3 for 4      (fine side: odd padding only)
//   3       2        5 for 6      (fine side: odd padding only)
//
// The gradient of the weights is the transpose: transformed sources times destinations transformed
// by y0, y0 + y1, y1 (y0, y0 + y1, y0 - y1, y1), summed over tiles, then back to taps; it adds
// (+=).
//
// Results do not depend on the number of threads. Sums of transformed values round otherwise than
// direct ones: docs/decisions.md has measured errors. Which convolutions come here is a rule on
// their extents (Plan::worth).
#pragma once

#include <initializer_list>

#include "kernels/convolution.h"

namespace framefold::winograd {

template <class T, std::size_t most>
struct Few {
  std::array<T, most> items{};
  std::size_t count = 0;

  constexpr Index add(const T& item) {
    items[count] = item;
    return static_cast<Index>(count++);
  }
  constexpr Index size() const { return static_cast<Index>(count); }
  constexpr const T& operator[](Index i) const { return items[static_cast<std::size_t>(i)]; }
  constexpr const T* begin() const { return items.data(); }
  constexpr const T* end() const { return items.data() + count; }
};

// u[a] + b_sign u[b] + c_sign u[c]; b or c < 0: without.
struct Pick {
  Index a, b = -1;
  float b_sign = 1;
  Index c = -1;
  float c_sign = 1;
};

// The additions along one axis; their loops are compiled for each of these.
enum class Kind : std::uint8_t {
  copy1,  // as many as there are
  copy2,
  copy3,
  copy4,
  three,    // values of three taps
  coarse4,  // of both parities, four taps or three
  coarse3,
  fine4,  // of both phases
  fine3,
  sum2,  // destinations from products
  sum3,
  pair2,  // their transposes
  pair3,
  quad3,  // four destinations of three taps: values, destinations, the latter's transpose
  sum_quad3,
  pair_quad3,
  coarse_quad,  // as many of three taps with stride 2
  sum_coarse_quad,
  pair_coarse_quad,
  fine_quad,  // both phases; destinations of the one with two taps
  sum_quad2,
};

struct Table {
  Index inputs = 0;
  Few<Pick, 6> picks;  // none: by a formula (along_line)
  Index made = 0;
};

constexpr Table make_table(Kind kind) {
  const auto table = [](Index inputs, std::initializer_list<Pick> picks) {
    Table made{.inputs = inputs, .made = static_cast<Index>(picks.size())};
    for (const Pick& pick : picks) made.picks.add(pick);
    return made;
  };
  switch (kind) {
    case Kind::copy1: return table(1, {{0}});
    case Kind::copy2: return table(2, {{0}, {1}});
    case Kind::copy3: return table(3, {{0}, {1}, {2}});
    case Kind::copy4: return table(4, {{0}, {1}, {2}, {3}});
    case Kind::three: return table(4, {{0, 2, -1}, {1, 2}, {2, 1, -1}, {3, 1, -1}});
    case Kind::coarse4: return table(6, {{0, 2, -1}, {2}, {4, 2, -1}, {1, 3, -1}, {3}, {5, 3, -1}});
    case Kind::coarse3: return table(5, {{0, 2, -1}, {2}, {4, 2, -1}, {1}, {3}});
    case Kind::fine4: return table(4, {{0, 1, -1}, {1}, {2, 1, -1}, {2}, {3, 2, -1}});
    case Kind::fine3: return table(3, {{0, 1, -1}, {1}, {2, 1, -1}, {0}});
    case Kind::sum2: return table(3, {{0, 1}, {1, 2}});
    case Kind::sum3: return table(4, {{0, 1, 1, 2, 1}, {1, 2, -1, 3, 1}});
    case Kind::pair2: return table(2, {{0}, {0, 1}, {1}});
    case Kind::pair3: return table(2, {{0}, {0, 1}, {0, 1, -1}, {1}});
    case Kind::quad3: return {.inputs = 6, .made = 6};
    case Kind::sum_quad3: return {.inputs = 6, .made = 4};
    case Kind::pair_quad3: return {.inputs = 4, .made = 6};
    case Kind::coarse_quad: return {.inputs = 9, .made = 9};
    case Kind::sum_coarse_quad: return {.inputs = 7, .made = 4};
    case Kind::pair_coarse_quad: return {.inputs = 4, .made = 7};
    case Kind::fine_quad: return {.inputs = 5, .made = 9};
    case Kind::sum_quad2: return {.inputs = 5, .made = 4};
  }
  return {};
}

inline constexpr std::array tables{make_table(Kind::copy1),
                                   make_table(Kind::copy2),
                                   make_table(Kind::copy3),
                                   make_table(Kind::copy4),
                                   make_table(Kind::three),
                                   make_table(Kind::coarse4),
                                   make_table(Kind::coarse3),
                                   make_table(Kind::fine4),
                                   make_table(Kind::fine3),
                                   make_table(Kind::sum2),
                                   make_table(Kind::sum3),
                                   make_table(Kind::pair2),
                                   make_table(Kind::pair3),
                                   make_table(Kind::quad3),
                                   make_table(Kind::sum_quad3),
                                   make_table(Kind::pair_quad3),
                                   make_table(Kind::coarse_quad),
                                   make_table(Kind::sum_coarse_quad),
                                   make_table(Kind::pair_coarse_quad),
                                   make_table(Kind::fine_quad),
                                   make_table(Kind::sum_quad2)};
constexpr const Table& table_of(Kind kind) { return tables[static_cast<std::size_t>(kind)]; }

// Values along one axis: tile i makes them of the positions first + step * i + [0, inputs), which
// are zero outside of [0, extent).
struct Values {
  Kind kind = Kind::copy1;
  Index first = 0, step = 1, extent = 1;
  Index inputs = 1, count = 1;

  Values() = default;
  Values(Kind kind, Index first, Index step, Index extent)
      : kind(kind),
        first(first),
        step(step),
        extent(extent),
        inputs(table_of(kind).inputs),
        count(table_of(kind).made) {}
  // Whether anything of a value lies inside.
  bool sees(Index tile, Index value) const {
    const Pick& p = table_of(kind).picks[value];
    return inside(tile, p.a) || (p.b >= 0 && inside(tile, p.b));
  }
  bool inside(Index tile, Index input) const {
    const Index at = first + step * tile + input;
    return at >= 0 && at < extent;
  }
};

struct Term {
  Index value;
  std::array<float, 4> taps;  // a transformed weight
};

// The points beside 0 and infinity of the filters of four destinations, +-near and +-far of three
// taps, +-middle and last of two: of those tried the ones whose sums round least, all exact.
constexpr float near_point = 0.625F, far_point = 1.5F;
constexpr float middle_point = 0.75F, last_point = 2;

// Destinations first + spacing * o + Axis::step * tile.
struct Phase {
  Index first = 0;
  Few<Few<Term, 4>, 7> products;
  Kind outputs = Kind::copy1;  // from the products

  Index count() const { return table_of(outputs).made; }
};

struct Axis {
  Values values;
  Index tiles = 0, step = 1, spacing = 1, extent = 1;
  Few<Phase, 2> phases;

  double terms(bool seen) const;  // of all tiles; only those that see something
};

// Whether there are filters for axis n.
bool transforms(const Convolution& c, std::size_t n, bool to_fine);

// What the destinations' gradients of a tile become for each product: the transpose of its outputs.
Values transposed(const Axis& axis);

enum class Pass : std::uint8_t { to_coarse, to_fine, weight };
constexpr Pass pass_to(bool fine) { return fine ? Pass::to_fine : Pass::to_coarse; }

struct Plan {
  Convolution c;
  Pass pass;
  bool fits = false;   // the filters above apply
  bool worth = false;  // and take less time than the direct sum
  double cost = 0;     // in multiplications of vectors of 16 channels
  std::array<Axis, 3> axes;
  Index depth, cols;  // channels of the source and written; of weights, their rows and columns
  Index units = 0;    // tiles, by t, batch, h, w
  Index values = 0;   // of a unit
  Index numbers = 0;  // transformed weights

  Plan(const Convolution& c, Pass pass);
  Index units_of_t() const { return c.batch * axes[1].tiles * axes[2].tiles; }

 private:
  bool faster(const std::array<Axis, 3>& direct);
};

// A unit's batch element and tiles.
struct Unit {
  Index b;
  Extents tile;

  Unit(const Plan& plan, Index number);
};

// Floats from one value of a block to the next: rows that lie a multiple of 4 KiB apart would evict
// one another from the first-level cache.
constexpr Index value_step(Index units, Index channels) {
  return (units * channels + 31) / 16 * 16;
}

// out [value][unit][channel] of units [first, first + count), out_step floats from value to value;
// zeros has `channels` elements.
void transform(const Plan& plan, const std::array<const Values*, 3>& axes, Index first, Index count,
               Index channels, const float* source, const float* zeros, float* out, Index out_step);

// From one unit's products [q][channel], step floats apart, to its destinations (null: left out).
// Whole vectors are read: a product's channels are padded to 16.
void destinations(const std::array<const Phase*, 3>& phases, const float* products, Index step,
                  Index channels, const float* bias, float* const* rows);

// Along a line of W, channels in whole vectors: values [tile][value][channel] of all its tiles.
void transform_line(const Values& w, Index tiles, Index channels, const float* line,
                    const float* zeros, float* out);

// From products [product][tile][channel] of one line, `step` floats from product to product, to its
// destinations [tile * count + o], `spacing` floats apart, the first `inside` of them.
void line_destinations(Kind outputs, Index tiles, Index channels, const float* products, Index step,
                       const float* bias, float* out, Index spacing, Index inside);

// Calls body(number, phase, product, value, tap_weight) for every transformed weight in the order
// of phases and products; tap_weight(kt, kh, kw) is a tap's share in it.
template <class Body>
void for_terms(const std::array<Axis, 3>& axes, Body&& body) {
  Index number = 0, phase = 0;
  const Index eh = axes[1].values.count;
  const Index ew = axes[2].values.count;
  for (const Phase& pt : axes[0].phases)
    for (const Phase& ph : axes[1].phases)
      for (const Phase& pw : axes[2].phases) {
        Index product = 0;
        for (const auto& qt : pt.products)
          for (const auto& qh : ph.products)
            for (const auto& qw : pw.products) {
              for (const Term& t : qt)
                for (const Term& h : qh)
                  for (const Term& w : qw) {
                    body(number, phase, product, (t.value * eh + h.value) * ew + w.value,
                         [&](Index kt, Index kh, Index kw) {
                           return t.taps[static_cast<std::size_t>(kt)] *
                                  h.taps[static_cast<std::size_t>(kh)] *
                                  w.taps[static_cast<std::size_t>(kw)];
                         });
                    ++number;
                  }
              ++product;
            }
        ++phase;
      }
}

void add_scaled(float* y, const float* x, float scale, Index n);  // y += scale x

// Of a plan that fits, f32.
void sum(const Stream& stream, const Plan& plan, Tensor out, Workspace workspace, View source,
         View weight, View bias);
void weight_from_both(const Stream& stream, const Plan& plan, Tensor weight, Workspace workspace,
                      View fine, View coarse);
Bytes sum_workspace(const Stream& stream, const Plan& plan);
Bytes weight_workspace(const Plan& plan);

}  // namespace framefold::winograd
