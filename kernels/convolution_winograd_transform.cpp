// The vector loops: one unit at a time, 16 channels at a time, axis by axis.
#include <algorithm>

#include "kernels/convolution_winograd.h"
#include "kernels/simd.h"

namespace framefold::winograd {
namespace {

constexpr Index lanes = 16;
constexpr Index most_inputs = 6, most_products = 4;
constexpr Index most_values = most_inputs * most_inputs * most_inputs;

// Sixteen floats, which the compiler cuts into what the instruction set has.
using Vector = float __attribute__((vector_size(64), aligned(4), may_alias));

constexpr float p = near_point, q = far_point;
constexpr float pp = p * p, qq = q * q;

FRAMEFOLD_INLINE void quad_values(const Vector* d, Vector* y) {
  const Vector near_even = d[4] - qq * d[2], near_odd = p * (d[3] - qq * d[1]);
  const Vector far_even = d[4] - pp * d[2], far_odd = q * (d[3] - pp * d[1]);
  y[0] = d[4] - (pp + qq) * d[2] + pp * qq * d[0];
  y[1] = near_even + near_odd;
  y[2] = near_even - near_odd;
  y[3] = far_even + far_odd;
  y[4] = far_even - far_odd;
  y[5] = d[5] - (pp + qq) * d[3] + pp * qq * d[1];
}

FRAMEFOLD_INLINE void quad_sums(const Vector* m, Vector* y) {
  const Vector near_even = m[1] + m[2], near_odd = p * (m[1] - m[2]);
  const Vector far_even = m[3] + m[4], far_odd = q * (m[3] - m[4]);
  y[0] = m[0] + near_even + far_even;
  y[1] = near_odd + far_odd;
  y[2] = pp * near_even + qq * far_even;
  y[3] = m[5] + pp * near_odd + qq * far_odd;
}

FRAMEFOLD_INLINE void quad_pairs(const Vector* d, Vector* y) {
  const Vector near_even = d[0] + pp * d[2], near_odd = p * (d[1] + pp * d[3]);
  const Vector far_even = d[0] + qq * d[2], far_odd = q * (d[1] + qq * d[3]);
  y[0] = d[0];
  y[1] = near_even + near_odd;
  y[2] = near_even - near_odd;
  y[3] = far_even + far_odd;
  y[4] = far_even - far_odd;
  y[5] = d[3];
}

constexpr float m = middle_point, mm = m * m, r = last_point;

// Five of two taps, of sources d[0], d[step] ...
template <Index step>
FRAMEFOLD_INLINE void two_tap_values(const Vector* d, Vector* y) {
  const Vector t0 = d[step] - r * d[0], t1 = d[2 * step] - r * d[step];
  const Vector t2 = d[3 * step] - r * d[2 * step], t3 = d[4 * step] - r * d[3 * step];
  y[0] = t2 - mm * t0;
  y[1] = t2 + m * t1;
  y[2] = t2 - m * t1;
  y[3] = d[3 * step] - mm * d[step];
  y[4] = t3 - mm * t1;
}

FRAMEFOLD_INLINE void two_tap_sums(const Vector* x, Vector* y) {
  const Vector even = x[1] + x[2], odd = m * (x[1] - x[2]);
  y[0] = x[0] + even + x[3];
  y[1] = odd + r * x[3];
  y[2] = mm * even + r * r * x[3];
  y[3] = mm * odd + r * r * r * x[3] + x[4];
}

FRAMEFOLD_INLINE void two_tap_pairs(const Vector* d, Vector* y) {
  const Vector even = d[0] + mm * d[2], odd = m * (d[1] + mm * d[3]);
  y[0] = d[0];
  y[1] = even + odd;
  y[2] = even - odd;
  y[3] = d[0] + r * (d[1] + r * (d[2] + r * d[3]));
  y[4] = d[3];
}

// The kinds without picks.
template <Kind kind>
FRAMEFOLD_INLINE void by_formula(const Vector* u, Vector* y) {
  if constexpr (kind == Kind::quad3) quad_values(u, y);
  if constexpr (kind == Kind::sum_quad3) quad_sums(u, y);
  if constexpr (kind == Kind::pair_quad3) quad_pairs(u, y);
  if constexpr (kind == Kind::sum_quad2) two_tap_sums(u, y);
  if constexpr (kind == Kind::coarse_quad) {
    two_tap_values<2>(u, y);
    for (Index i = 0; i < 4; ++i) y[5 + i] = u[2 * i + 1];
  }
  if constexpr (kind == Kind::sum_coarse_quad) {
    two_tap_sums(u, y);
    y[1] += u[5];
    y[2] += u[6];
  }
  if constexpr (kind == Kind::pair_coarse_quad) {
    two_tap_pairs(u, y);
    y[5] = u[1];
    y[6] = u[2];
  }
  if constexpr (kind == Kind::fine_quad) {
    two_tap_values<1>(u, y);
    for (Index i = 0; i < 4; ++i) y[5 + i] = u[i];
  }
}

// to[e] = the kind's additions of from[i].
template <Kind kind, class From>
FRAMEFOLD_INLINE void add_up(float* to, Index to_step, From from) {
  constexpr Table table = table_of(kind);
  Vector u[table.inputs];
  for (Index i = 0; i < table.inputs; ++i) u[i] = *reinterpret_cast<const Vector*>(from(i));
  if constexpr (table.picks.size() == 0) {
    Vector y[table.made];
    by_formula<kind>(u, y);
    for (Index e = 0; e < table.made; ++e) *reinterpret_cast<Vector*>(to + e * to_step) = y[e];
    return;
  }
  for (Index e = 0; e < table.picks.size(); ++e) {
    const Pick& p = table.picks.items[static_cast<std::size_t>(e)];
    Vector y = u[p.a];
    if (p.b >= 0) y = p.b_sign < 0 ? y - u[p.b] : y + u[p.b];
    if (p.c >= 0) y = p.c_sign < 0 ? y - u[p.c] : y + u[p.c];
    *reinterpret_cast<Vector*>(to + e * to_step) = y;
  }
}

// Calls body.template operator()<kind>() with the kind as a constant.
template <class Body>
FRAMEFOLD_INLINE void with_constant(Kind kind, Body body) {
  switch (kind) {
#define FRAMEFOLD_KIND(name) \
  case Kind::name: return body.template operator()<Kind::name>();
    FRAMEFOLD_KIND(copy1)
    FRAMEFOLD_KIND(copy2)
    FRAMEFOLD_KIND(copy3)
    FRAMEFOLD_KIND(copy4)
    FRAMEFOLD_KIND(three)
    FRAMEFOLD_KIND(coarse4)
    FRAMEFOLD_KIND(coarse3)
    FRAMEFOLD_KIND(fine4)
    FRAMEFOLD_KIND(fine3)
    FRAMEFOLD_KIND(sum2)
    FRAMEFOLD_KIND(sum3)
    FRAMEFOLD_KIND(pair2)
    FRAMEFOLD_KIND(pair3)
    FRAMEFOLD_KIND(quad3)
    FRAMEFOLD_KIND(sum_quad3)
    FRAMEFOLD_KIND(pair_quad3)
    FRAMEFOLD_KIND(coarse_quad)
    FRAMEFOLD_KIND(sum_coarse_quad)
    FRAMEFOLD_KIND(pair_coarse_quad)
    FRAMEFOLD_KIND(fine_quad)
    FRAMEFOLD_KIND(sum_quad2)
#undef FRAMEFOLD_KIND
  }
}

// Along an axis in the middle: [outer][from][inner] to [outer][to][inner], vectors; `to` lies
// to_step floats from one to the next of its axis, and its inner ones inner_step.
FRAMEFOLD_INLINE void along(Kind kind, float* to, Index to_outer, Index to_step, Index inner_step,
                            const float* from, Index from_outer, Index outer, Index inner) {
  with_constant(
      kind, [=]<Kind constant>() __attribute__((always_inline)) {
        for (Index o = 0; o < outer; ++o)
          for (Index x = 0; x < inner; ++x) {
            const float* first = from + o * from_outer + x * lanes;
            add_up<constant>(
                to + o * to_outer + x * inner_step,
                to_step, [=](Index i) __attribute__((always_inline)) {
                  return first + i * inner * lanes;
                });
          }
      });
}

struct Rows {
  const float* const* at;
  Index t, h, w;     // inputs
  Index eh, ew, et;  // values
};

// Sixteen channels of one unit, all of them in memory.
FRAMEFOLD_SIMD void transform_rows(Kind t, Kind h, Kind w, Rows rows, Index channel, float* out,
                                   Index out_step) {
  alignas(64) float by_w[most_inputs * most_inputs * lanes];  // of one frame
  alignas(64) float by_h[most_values * lanes];
  const Index inner = rows.eh * rows.ew;
  for (Index frame = 0; frame < rows.t; ++frame) {
    const float* const* at = rows.at + frame * rows.h * rows.w;
    with_constant(
        w, [ =, &by_w ]<Kind constant>() __attribute__((always_inline)) {
          for (Index line = 0; line < rows.h; ++line) {
            const float* const* row = at + line * rows.w;
            add_up<constant>(
                by_w + line * rows.ew * lanes,
                lanes, [=](Index i) __attribute__((always_inline)) { return row[i] + channel; });
          }
        });
    along(h, by_h + frame * inner * lanes, 0, rows.ew * lanes, lanes, by_w, 0, 1, rows.ew);
  }
  along(t, out, 0, inner * out_step, out_step, by_h, 0, 1, inner);
}

FRAMEFOLD_SIMD void back(Kind t, Kind h, Kind w, Rows rows, const float* products, Index step,
                         float* out) {
  alignas(64) float by_t[2 * most_products * most_products * lanes];
  alignas(64) float by_h[2 * 2 * most_products * lanes];
  with_constant(
      t, [ =, &by_t ]<Kind constant>() __attribute__((always_inline)) {
        for (Index x = 0; x < rows.h * rows.w; ++x)
          add_up<constant>(
              by_t + x * lanes,
              rows.h * rows.w * lanes, [=](Index i) __attribute__((always_inline)) {
                return products + (i * rows.h * rows.w + x) * step;
              });
      });
  along(h, by_h, rows.eh * rows.w * lanes, rows.w * lanes, lanes, by_t, rows.h * rows.w * lanes,
        rows.et, rows.w);
  along(w, out, rows.ew * lanes, lanes, lanes, by_h, rows.w * lanes, rows.et * rows.eh, 1);
}

// Where a unit's sources lie; returns their number.
std::size_t find_rows(const Unit& unit, const std::array<const Values*, 3>& axes, Index channels,
                      const float* source, const float* zeros,
                      std::array<const float*, most_values>& at) {
  const auto& [t, h, w] = axes;
  const Extents first{t->first + t->step * unit.tile[0], h->first + h->step * unit.tile[1],
                      w->first + w->step * unit.tile[2]};
  const auto within = [](Index position, Index extent) {
    return position >= 0 && position < extent;
  };
  std::size_t used = 0;
  for (Index pt = first[0]; pt < first[0] + t->inputs; ++pt)
    for (Index ph = first[1]; ph < first[1] + h->inputs; ++ph) {
      const bool line_within = within(pt, t->extent) && within(ph, h->extent);
      const Index line = ((unit.b * t->extent + pt) * h->extent + ph) * w->extent;
      for (Index pw = first[2]; pw < first[2] + w->inputs; ++pw)
        at[used++] = line_within && within(pw, w->extent) ? source + (line + pw) * channels : zeros;
    }
  return used;
}

}  // namespace

FRAMEFOLD_SIMD void add_scaled(float* y, const float* x, float scale, Index n) {
  for (Index i = 0; i < n; ++i) y[i] += scale * x[i];
}

FRAMEFOLD_SIMD void transform_line(const Values& w, Index tiles, Index channels, const float* line,
                                   const float* zeros, float* out) {
  with_constant(
      w.kind, [ =, &w ]<Kind constant>() __attribute__((always_inline)) {
        for (Index tile = 0; tile < tiles; ++tile) {
          constexpr Index inputs = table_of(constant).inputs;
          const float* at[inputs];
          for (Index i = 0; i < inputs; ++i)
            at[i] = w.inside(tile, i) ? line + (w.first + w.step * tile + i) * channels : zeros;
          for (Index channel = 0; channel < channels; channel += lanes)
            add_up<constant>(
                out + tile * w.count * channels + channel,
                channels, [&](Index i) __attribute__((always_inline)) { return at[i] + channel; });
        }
      });
}

FRAMEFOLD_SIMD void line_destinations(Kind outputs, Index tiles, Index channels,
                                      const float* products, Index step, const float* bias,
                                      float* out, Index spacing, Index inside) {
  with_constant(
      outputs, [=]<Kind constant>() __attribute__((always_inline)) {
        constexpr Index count = table_of(constant).made;
        for (Index tile = 0; tile < tiles; ++tile)
          for (Index channel = 0; channel < channels; channel += lanes) {
            alignas(64) float sums[count * lanes];
            const float* first = products + tile * channels + channel;
            add_up<constant>(
                sums,
                lanes, [=](Index i) __attribute__((always_inline)) { return first + i * step; });
            for (Index o = 0; o < count && tile * count + o < inside; ++o) {
              Vector sum = *reinterpret_cast<const Vector*>(sums + o * lanes);
              if (bias) sum += *reinterpret_cast<const Vector*>(bias + channel);
              *reinterpret_cast<Vector*>(out + (tile * count + o) * spacing + channel) = sum;
            }
          }
      });
}

void transform(const Plan& plan, const std::array<const Values*, 3>& axes, Index first, Index count,
               Index channels, const float* source, const float* zeros, float* out,
               Index out_step) {
  const auto& [t, h, w] = axes;
  // While one unit is at work, the next one's sources come: no hardware sees where they lie.
  std::array<std::array<const float*, most_values>, 2> at;
  const std::size_t used = find_rows(Unit(plan, first), axes, channels, source, zeros, at[0]);
  const Index whole = channels / lanes * lanes;
  const Index rest = channels - whole;
  for (Index i = 0; i < count; ++i, out += channels) {
    auto& own = at[static_cast<std::size_t>(i % 2)];
    if (i + 1 < count) {
      auto& next = at[static_cast<std::size_t>((i + 1) % 2)];
      find_rows(Unit(plan, first + i + 1), axes, channels, source, zeros, next);
      for (std::size_t n = 0; n < used; ++n)
        for (Index channel = 0; channel < channels; channel += lanes)
          __builtin_prefetch(next[n] + channel, 0, 2);
    }
    const Rows rows{own.data(), t->inputs, h->inputs, w->inputs, h->count, w->count, t->count};
    for (Index channel = 0; channel < whole; channel += lanes)
      transform_rows(t->kind, h->kind, w->kind, rows, channel, out + channel, out_step);
    if (rest == 0) continue;
    // The last channels by copies, since no vector may reach past them.
    alignas(64) std::array<float, most_values * lanes> from, to;
    for (std::size_t n = 0; n < used; ++n) {
      float* copy = from.data() + static_cast<Index>(n) * lanes;
      std::copy_n(own[n] + whole, rest, copy);
      std::fill(copy + rest, copy + lanes, 0.0F);
      own[n] = copy;
    }
    transform_rows(t->kind, h->kind, w->kind, rows, 0, to.data(), lanes);
    for (Index e = 0; e < rows.et * rows.eh * rows.ew; ++e)
      std::copy_n(to.data() + e * lanes, rest, out + e * out_step + whole);
  }
}

void destinations(const std::array<const Phase*, 3>& phases, const float* products, Index step,
                  Index channels, const float* bias, float* const* rows) {
  const auto& [t, h, w] = phases;
  const Rows shape{nullptr,    t->products.size(), h->products.size(), w->products.size(),
                   h->count(), w->count(),         t->count()};
  alignas(64) std::array<float, 8 * lanes> sums;
  for (Index channel = 0; channel < channels; channel += lanes) {
    back(t->outputs, h->outputs, w->outputs, shape, products + channel, step, sums.data());
    const Index n = std::min(lanes, channels - channel);
    for (Index o = 0; o < shape.et * shape.eh * shape.ew; ++o) {
      if (!rows[o]) continue;
      const float* sum = sums.data() + o * lanes;
      float* to = rows[o] + channel;
      for (Index i = 0; i < n; ++i) to[i] = bias ? sum[i] + bias[channel + i] : sum[i];
    }
  }
}

}  // namespace framefold::winograd
