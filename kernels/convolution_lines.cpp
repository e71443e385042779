// What is filtered and when that is worth it, and the sums:
//
//   transformed weights, packed in panels, shared by all threads
//   on each thread's share of the tiles written, for blocks of them in one frame and one phase of
//   H:
//     the lines of the source that they see, unless a block before has transformed them
//     for phases and products of W: the register tile over tiles, summed over taps of T and H
//     products to destinations
#include "kernels/convolution_lines.h"

#include <algorithm>

#include "kernels/convolution_fast.h"

namespace framefold::lines {
namespace {

using winograd::Axis;
using winograd::Few;
using winograd::Kind;
using winograd::Pass;
using winograd::Term;

constexpr Index lanes = 16;
constexpr Index block_floats = Index{1} << 15;  // 128 KiB of products
constexpr Index max_segments = 64;
constexpr Index most_lines = 64;  // of a block of the weights' sums

Axis quads(Index first, Index count, Index extent, bool flipped) {
  Axis axis{.values = {Kind::quad3, first, 4, extent},
            .tiles = ceil_div(count, 4),
            .step = 4,
            .extent = count};
  constexpr float p = winograd::near_point, q = winograd::far_point;
  constexpr float at_p = 0.5F / (p * p * (p * p - q * q)), at_q = 0.5F / (q * q * (q * q - p * p));
  const std::array<std::array<float, 4>, 6> taps{{{1 / (p * p * q * q), 0, 0},
                                                  {at_p, at_p * p, at_p * p * p},
                                                  {at_p, -at_p * p, at_p * p * p},
                                                  {at_q, at_q * q, at_q * q * q},
                                                  {at_q, -at_q * q, at_q * q * q},
                                                  {0, 0, 1}}};
  winograd::Phase phase{.outputs = Kind::sum_quad3};
  for (Index n = 0; n < 6; ++n) {
    Term term{n, taps[static_cast<std::size_t>(n)]};
    if (flipped) std::swap(term.taps[0], term.taps[2]);
    Few<Term, 4> product;
    product.add(term);
    phase.products.add(product);
  }
  axis.phases.add(phase);
  return axis;
}

// Two taps at the points 0, +-middle, last and infinity: products of the values 0 ... 4.
void add_two_taps(winograd::Phase& phase, std::size_t g0, std::size_t g1) {
  constexpr float p = winograd::middle_point, r = winograd::last_point;
  const std::array<std::array<float, 2>, 5> taps{{{1 / (p * p * r), 0},
                                                  {0.5F / (p * p * (p - r)), 0.5F / (p * (p - r))},
                                                  {-0.5F / (p * p * (p + r)), 0.5F / (p * (p + r))},
                                                  {1 / (r * (r * r - p * p)), 1 / (r * r - p * p)},
                                                  {0, 1}}};
  for (Index n = 0; n < 5; ++n) {
    Term term{n, {}};
    term.taps[g0] = taps[static_cast<std::size_t>(n)][0];
    term.taps[g1] = taps[static_cast<std::size_t>(n)][1];
    Few<Term, 4> product;
    product.add(term);
    phase.products.add(product);
  }
}

Term tap_1(Index value) { return {value, {0, 1}}; }

void add_tap_1(winograd::Phase& phase, Index value) {
  Few<Term, 4> product;
  product.add(tap_1(value));
  phase.products.add(product);
}

// A kernel of 3, stride 2: winograd::transformed has the same in pairs.
Axis coarse_quads(const Convolution& c) {
  Axis axis{.values = {Kind::coarse_quad, -c.padding[2], 8, c.fine[2]},
            .tiles = ceil_div(c.coarse[2], 4),
            .step = 4,
            .extent = c.coarse[2]};
  winograd::Phase phase{.outputs = Kind::sum_coarse_quad};
  add_two_taps(phase, 0, 2);
  phase.products.items[0].add(tap_1(5));
  phase.products.items[4].add(tap_1(8));
  add_tap_1(phase, 6);
  add_tap_1(phase, 7);
  axis.phases.add(phase);
  return axis;
}

Axis fine_quads(const Convolution& c) {
  Axis axis{.values = {Kind::fine_quad, (c.padding[2] - 1) / 2, 4, c.coarse[2]},
            .tiles = ceil_div(c.fine[2], 8),
            .step = 8,
            .spacing = 2,
            .extent = c.fine[2]};
  winograd::Phase even{.first = 0, .outputs = Kind::copy4};
  winograd::Phase odd{.first = 1, .outputs = Kind::sum_quad2};
  for (Index n = 0; n < 4; ++n) add_tap_1(even, 5 + n);
  add_two_taps(odd, 2, 0);
  axis.phases.add(even);
  axis.phases.add(odd);
  return axis;
}

Axis axis_of(const Convolution& c, bool to_fine) {
  if (c.stride[2] == 1)
    return to_fine ? quads(c.padding[2] - 2, c.fine[2], c.coarse[2], true)
                   : quads(-c.padding[2], c.coarse[2], c.fine[2], false);
  return to_fine ? fine_quads(c) : coarse_quads(c);
}

// Calls body(number, phase, product, term) for the transformed weights of one tap of T and H.
template <class Body>
void for_numbers(const Axis& w, Body&& body) {
  Index number = 0, phase_at = 0;
  for (const winograd::Phase& phase : w.phases) {
    for (Index product = 0; product < phase.products.size(); ++product)
      for (const Term& term : phase.products[product]) body(number++, phase_at, product, term);
    ++phase_at;
  }
}

GatherAxis gather_axis(const Plan& plan, std::size_t n, Index phase) {
  return plan.to_fine() ? fine_axis(plan.c, n, phase) : coarse_axis(plan.c, n);
}
Index phases_of(const Plan& plan, std::size_t n) { return plan.to_fine() ? plan.c.stride[n] : 1; }

// Pairs of a destination and a tap that meet inside.
double meetings(const Plan& plan, std::size_t n) {
  Index sum = 0;
  for (Index phase = 0; phase < phases_of(plan, n); ++phase) {
    const GatherAxis axis = gather_axis(plan, n, phase);
    for (Index j = 0; j < axis.count; ++j)
      for (Index m = 0; m < axis.taps; ++m)
        sum += axis.source(j, m) >= 0 && axis.source(j, m) < axis.extent;
  }
  return static_cast<double>(sum);
}

Index packed_step(const Plan& plan) { return packed_size(plan.depth, plan.cols); }
Index packed_floats(const Plan& plan) {
  return plan.c.kernel[0] * plan.c.kernel[1] * plan.numbers * packed_step(plan);
}

Index block_tiles(const Plan& plan) {
  const Index rows = micro_kernel().rows;
  return std::max<Index>(2, block_floats / (plan.products * plan.cols) / rows) * rows;
}
Index product_step(const Plan& plan) { return winograd::value_step(block_tiles(plan), plan.cols); }

Index values_floats(const Plan& plan) { return plan.frames * plan.frame_floats(); }
Index own_floats(const Plan& plan) {
  return ceil_div(values_floats(plan), lanes) * lanes +
         std::max(plan.products * product_step(plan), plan.depth * plan.cols);
}
Index tags_of(const Plan& plan) { return plan.frames * plan.source()[1]; }

// The source's lines, transformed when they are first asked for; as many frames as one frame
// written sees.
class Lines {
 public:
  Lines(const Plan& plan, const float* source, const float* zeros, float* values, Index* tags)
      : plan_(plan), source_(source), zeros_(zeros), values_(values), tags_(tags) {
    std::fill_n(tags_, tags_of(plan), Index{-1});
    const Index behind = plan.above + plan.source()[1];
    for (Index slot = 0; slot < plan.frames; ++slot) {
      float* frame = values_ + slot * plan.frame_floats();
      std::fill_n(frame, plan.above * plan.line_floats(), 0.0F);
      std::fill_n(frame + behind * plan.line_floats(), (plan.lines - behind) * plan.line_floats(),
                  0.0F);
    }
  }

  // Lines [begin, end) of a frame, as far as there are such.
  void need(Index b, Index t, Index begin, Index end) {
    const auto& [frames, height, width] = plan_.source();
    const Index frame = b * frames + t;
    for (Index h = std::max<Index>(0, begin); h < std::min(end, height); ++h) {
      Index& tag = tags_[slot(t) * height + h];
      if (tag == frame) continue;
      tag = frame;
      winograd::transform_line(plan_.w.values, plan_.w.tiles, plan_.depth,
                               source_ + (frame * height + h) * width * plan_.depth, zeros_,
                               values_ + place(t, h));
    }
  }

  // Where a line's values begin, floats behind the first.
  Index place(Index t, Index h) const {
    return (slot(t) * plan_.lines + plan_.above + h) * plan_.line_floats();
  }
  const float* values() const { return values_; }

 private:
  Index slot(Index t) const { return t % plan_.frames; }

  const Plan& plan_;
  const float* source_;
  const float* zeros_;
  float* values_;
  Index* tags_;  // the frame whose line stands there
};

// Of all taps of T and H transformed weights [first, last) in panels.
void pack(const Plan& plan, const float* weight, float* packed, float* own, Index first,
          Index last) {
  const Convolution& c = plan.c;
  const Index size = plan.depth * plan.cols;
  for (Index line = 0; line < c.kernel[0] * c.kernel[1]; ++line)
    for_numbers(plan.w, [&](Index number, Index, Index, const Term& term) {
      const Index at = line * plan.numbers + number;
      if (at < first || at >= last) return;
      std::fill(own, own + size, 0.0F);
      for (Index k = 0; k < c.kernel[2]; ++k)
        if (const float scale = term.taps[static_cast<std::size_t>(k)]; scale != 0)
          winograd::add_scaled(own, weight + (line * c.kernel[2] + k) * size, scale, size);
      pack_panels(packed + at * packed_step(plan), own, c.coarse_channels, plan.to_fine(),
                  plan.depth, plan.cols, 0, panel_count(plan.cols));
    });
}

class Block {
 public:
  Block(const Plan& plan, Lines& lines, const float* packed, const float* bias, float* out,
        float* products)
      : plan_(plan),
        kernel_(micro_kernel()),
        lines_(lines),
        packed_(packed),
        bias_(bias),
        out_(out),
        products_(products) {}

  // Tiles [first, first + count) of the lines of frame jt of batch element b, in one phase.
  void run(const GatherAxis& t, const GatherAxis& h, Index b, Index jt, Index first, Index count) {
    const Index top = first / plan_.w.tiles;
    const Index bottom = (first + count - 1) / plan_.w.tiles;
    for (Index m = 0; m < t.taps; ++m)
      if (sees(t, jt, m))
        lines_.need(b, t.source(jt, m), h.source(top, 0), h.source(bottom, h.taps - 1) + 1);
    for (Index phase = 0; phase < plan_.w.phases.size(); ++phase) {
      Index product_at = -1;
      used_ = 0;
      for_numbers(plan_.w, [&](Index number, Index phase_at, Index product, const Term& term) {
        if (phase_at != phase) return;
        if (product != product_at && product_at >= 0) multiply(h, first, count, product_at);
        product_at = product;
        for (Index mt = 0; mt < t.taps; ++mt)
          for (Index mh = 0; mh < h.taps && sees(t, jt, mt); ++mh) {
            // Not if the whole block sees nothing of it.
            if (h.source(bottom, mh) < 0 || h.source(top, mh) >= h.extent) continue;
            const Index tap = t.tap_of(mt) * plan_.c.kernel[1] + h.tap_of(mh);
            at_[used_] = {
                0, lines_.place(t.source(jt, mt), h.source(0, mh)) + term.value * plan_.depth};
            b_[used_++] = packed_ + (tap * plan_.numbers + number) * packed_step(plan_);
          }
      });
      multiply(h, first, count, product_at);
      const Index frame = b * plan_.written()[0] + t.first + t.step * jt;
      finish(plan_.w.phases[phase], h, frame, first, count);
    }
  }

 private:
  static bool sees(const GatherAxis& axis, Index j, Index m) {
    return axis.source(j, m) >= 0 && axis.source(j, m) < axis.extent;
  }

  // The sums of one product, of the segments at hand.
  void multiply(const GatherAxis& h, Index first, Index count, Index product) {
    const Index row = plan_.w.values.count * plan_.depth;
    const Index parts = ceil_div(count, kernel_.rows);
    for (Index col = 0; col < plan_.cols; col += kernel_.cols) {
      for (Index part = 0; part < parts; ++part) {
        const Index begin = count * part / parts;
        const Index rows = count * (part + 1) / parts - begin;
        std::array<const float*, micro_rows_max> a;
        for (Index i = 0; i < rows; ++i) {
          const Index line = (first + begin + i) / plan_.w.tiles;
          const Index tile = (first + begin + i) % plan_.w.tiles;
          a[static_cast<std::size_t>(i)] =
              lines_.values() + h.in_step * line * plan_.line_floats() + tile * row;
        }
        kernel_.run(static_cast<int>(rows),
                    static_cast<int>(std::min<Index>(kernel_.cols, plan_.cols - col)),
                    {.a = a.data(),
                     .at = at_.data(),
                     .b = b_.data(),
                     .segments = static_cast<Index>(used_),
                     .depth = plan_.depth,
                     .b_step = kernel_.cols,
                     .c = products_ + product * product_step(plan_) + begin * plan_.cols + col,
                     .ldc = plan_.cols});
      }
      for (std::size_t s = 0; s < used_; ++s) b_[s] += kernel_.cols * plan_.depth;
    }
    used_ = 0;
  }

  void finish(const winograd::Phase& phase, const GatherAxis& h, Index frame, Index first,
              Index count) {
    const Axis& w = plan_.w;
    const Index spacing = w.spacing * plan_.cols;
    for (Index at = first; at < first + count;) {
      const Index line = at / w.tiles;
      const Index tile = at % w.tiles;
      const Index tiles = std::min(first + count - at, w.tiles - tile);
      const Index begin = phase.first + w.step * tile;
      const Index inside = std::min(tiles * phase.count(),
                                    std::max<Index>(0, ceil_div(w.extent - begin, w.spacing)));
      float* out =
          out_ +
          ((frame * plan_.written()[1] + h.first + h.step * line) * w.extent + begin) * plan_.cols;
      winograd::line_destinations(phase.outputs, tiles, plan_.cols,
                                  products_ + (at - first) * plan_.cols, product_step(plan_), bias_,
                                  out, spacing, inside);
      activate_tile(plan_.c.activation, out, spacing, inside, plan_.cols);
      at += tiles;
    }
  }

  const Plan& plan_;
  const MicroKernel& kernel_;
  Lines& lines_;
  const float* packed_;
  const float* bias_;
  float* out_;
  float* products_;  // [product][tile][channel]
  std::size_t used_ = 0;
  std::array<MicroRows, max_segments> at_;
  std::array<const float*, max_segments> b_;
};

// A thread's share of the tiles written: frame by frame, the phases of H one after the other.
void run_share(const Plan& plan, Block& block, Index begin, Index end) {
  const Index frame_tiles = plan.written()[1] * plan.w.tiles;
  const Index most = block_tiles(plan);
  while (begin < end) {
    const Index b = begin / frame_tiles / plan.written()[0];
    const Index at = begin / frame_tiles % plan.written()[0];
    const Index phase_t = (at + plan.c.padding[0]) % phases_of(plan, 0);
    const GatherAxis t = gather_axis(plan, 0, phase_t);
    Index rest = begin % frame_tiles;
    for (Index phase = 0; phase < phases_of(plan, 1); ++phase) {
      const GatherAxis h = gather_axis(plan, 1, phase);
      const Index tiles = h.count * plan.w.tiles;
      for (; rest < tiles && begin < end;) {
        const Index count = std::min({most, tiles - rest, end - begin});
        block.run(t, h, b, (at - t.first) / t.step, rest, count);
        rest += count;
        begin += count;
      }
      rest -= std::min(rest, tiles);
    }
  }
}

}  // namespace

Plan::Plan(const Convolution& c, Pass pass)
    : c(c), pass(pass), depth(c.fine_channels), cols(c.coarse_channels) {
  if (to_fine()) std::swap(depth, cols);
  fits = c.groups == 1 && depth % lanes == 0 && cols % lanes == 0 && c.kernel[2] == 3 &&
         winograd::transforms(c, 2, to_fine()) && c.kernel[0] * c.kernel[1] <= 16;
  if (!fits) return;
  w = axis_of(c, to_fine());
  for_numbers(w, [&](Index number, auto&&...) { numbers = number + 1; });
  for (const winograd::Phase& phase : w.phases)
    products = std::max(products, phase.products.size());
  Index highest = source()[1];
  for (Index phase = 0; phase < phases_of(*this, 1); ++phase) {
    const GatherAxis h = gather_axis(*this, 1, phase);
    if (h.count == 0 || h.taps == 0) continue;
    above = std::max(above, -h.source(0, 0));
    highest = std::max(highest, h.source(h.count - 1, h.taps - 1) + 1);
  }
  lines = above + highest;
  for (Index phase = 0; phase < phases_of(*this, 0); ++phase) {
    const GatherAxis t = gather_axis(*this, 0, phase);
    frames = std::max(frames, std::min(source()[0], (t.taps - 1) * t.move + 1));
  }
  frames = std::max<Index>(frames, 1);
  worth = faster();
}

// Times in multiplications of a vector of 16, as measured: each vector of values and of products
// moved costs `moving`, each one of transformed weights `making`, and `reading` or `adding` for
// each frame written, which is a block if it is small.
bool Plan::faster() {
  constexpr double moving = 8;
  constexpr double reading = 1, adding = 3;
  constexpr double making = 12;
  const auto vectors = [](Index channels) { return static_cast<double>(ceil_div(channels, 16)); };
  const double each = static_cast<double>(c.batch * depth) * vectors(cols);
  const double over = meetings(*this, 0) * meetings(*this, 1) * each;
  Index terms = 0, results = 0;
  for (const winograd::Phase& phase : w.phases) {
    for (const auto& product : phase.products) terms += product.size();
    results += phase.products.size();
  }
  const double tiles = static_cast<double>(w.tiles * c.batch);
  const double moved =
      tiles * (static_cast<double>(source()[0] * source()[1] * w.values.count) * vectors(depth) +
               static_cast<double>(written()[0] * written()[1] * results) * vectors(cols));
  const double made =
      static_cast<double>(c.kernel[0] * c.kernel[1] * numbers * depth) * vectors(cols);
  const double frames_made = static_cast<double>(c.batch * written()[0]);
  const double passed = frames_made * made * (pass == Pass::weight ? adding : reading);
  const double cost =
      over * static_cast<double>(terms * w.tiles) + moving * moved + making * made + passed;
  const winograd::Plan pairs(c, pass);
  return cost < 0.95 * over * meetings(*this, 2) && (!pairs.worth || cost < pairs.cost);
}

Bytes sum_workspace(const Stream& stream, const Plan& plan) {
  const auto bytes = [](Index floats) {
    return Workspace::padded(static_cast<Bytes>(floats) * sizeof(float));
  };
  return bytes(plan.depth) + bytes(packed_floats(plan)) + bytes(stream.threads * own_floats(plan)) +
         Workspace::padded(static_cast<Bytes>(stream.threads * tags_of(plan)) * sizeof(Index));
}

void sum(const Stream& stream, const Plan& plan, Tensor out, Workspace workspace, View source,
         View weight, View bias) {
  float* zeros = workspace.take<float>(plan.depth);
  float* packed = workspace.take<float>(packed_floats(plan));
  float* own = workspace.take<float>(stream.threads * own_floats(plan));
  Index* tags = workspace.take<Index>(stream.threads * tags_of(plan));
  std::fill(zeros, zeros + plan.depth, 0.0F);
  const Index all = plan.c.kernel[0] * plan.c.kernel[1] * plan.numbers;
  const Index tiles = plan.c.batch * plan.written()[0] * plan.written()[1] * plan.w.tiles;
  const auto for_parts = [&](auto&& body) {
    parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
      for (Index part = first; part < last; ++part) body(part, own + part * own_floats(plan));
    });
  };
  for_parts([&](Index part, float* mine) {
    pack(plan, weight.as<float>(), packed, mine, all * part / stream.threads,
         all * (part + 1) / stream.threads);
  });
  for_parts([&](Index part, float* mine) {
    Lines lines(plan, source.as<float>(), zeros, mine, tags + part * tags_of(plan));
    Block block(plan, lines, packed, bias ? bias.as<float>() : nullptr, out.as<float>(),
                mine + ceil_div(values_floats(plan), lanes) * lanes);
    run_share(plan, block, tiles * part / stream.threads, tiles * (part + 1) / stream.threads);
  });
}

namespace {

// A thread's sums, values, and what the block's destinations become.
Index sums_floats(const Plan& plan) {
  return plan.c.kernel[0] * plan.c.kernel[1] * plan.numbers * plan.depth * plan.cols;
}
Index destination_floats(const Plan& plan) { return plan.w.tiles * plan.products * plan.cols; }
Index weight_floats(const Plan& plan) {
  return ceil_div(sums_floats(plan) + values_floats(plan), lanes) * lanes +
         most_lines * destination_floats(plan);
}

class WeightSum {
 public:
  WeightSum(const Plan& plan, Lines& lines, const float* coarse, const float* zeros, float* sums,
            float* destinations)
      : plan_(plan),
        kernel_(micro_kernel()),
        lines_(lines),
        coarse_(coarse),
        zeros_(zeros),
        sums_(sums),
        destinations_(destinations),
        backward_(winograd::transposed(plan.w)),
        t_(coarse_axis(plan.c, 0)),
        h_(coarse_axis(plan.c, 1)) {}

  // Lines [first, first + count) of frame jt of batch element b.
  void run(Index b, Index jt, Index first, Index count) {
    const Index frame = b * plan_.c.coarse[0] + jt;
    const Index line_size = plan_.c.coarse[2] * plan_.cols;
    for (Index n = 0; n < count; ++n)
      winograd::transform_line(backward_, plan_.w.tiles, plan_.cols,
                               coarse_ + (frame * plan_.c.coarse[1] + first + n) * line_size,
                               zeros_, destinations_ + n * destination_floats(plan_));
    for (Index mt = 0; mt < t_.taps; ++mt) {
      const Index t = t_.source(jt, mt);
      if (t < 0 || t >= t_.extent) continue;
      lines_.need(b, t, h_.source(first, 0), h_.source(first + count - 1, h_.taps - 1) + 1);
      for (Index mh = 0; mh < h_.taps; ++mh) {
        Index used = 0;
        std::array<Index, most_lines> numbers;
        for (Index n = 0; n < count; ++n) {
          const Index h = h_.source(first + n, mh);
          if (h < 0 || h >= h_.extent) continue;
          at_[static_cast<std::size_t>(used)] = {0, lines_.place(t, h)};
          numbers[static_cast<std::size_t>(used++)] = n;
        }
        if (used > 0) multiply(mt * h_.taps + mh, std::span(numbers.data(), std::size_t(used)));
      }
    }
  }

 private:
  void multiply(Index tap, std::span<const Index> numbers) {
    const Index parts = ceil_div(plan_.depth, kernel_.rows);
    for_numbers(plan_.w, [&](Index number, Index, Index product, const Term& term) {
      float* sums = sums_ + (tap * plan_.numbers + number) * plan_.depth * plan_.cols;
      for (Index col = 0; col < plan_.cols; col += kernel_.cols) {
        for (std::size_t s = 0; s < numbers.size(); ++s)
          b_[s] =
              destinations_ + numbers[s] * destination_floats(plan_) + product * plan_.cols + col;
        for (Index part = 0; part < parts; ++part) {
          const Index begin = plan_.depth * part / parts;
          const Index rows = plan_.depth * (part + 1) / parts - begin;
          std::array<const float*, micro_rows_max> a;
          for (Index i = 0; i < rows; ++i)
            a[static_cast<std::size_t>(i)] = lines_.values() + term.value * plan_.depth + begin + i;
          kernel_.run(static_cast<int>(rows),
                      static_cast<int>(std::min<Index>(kernel_.cols, plan_.cols - col)),
                      {.a = a.data(),
                       .at = at_.data(),
                       .b = b_.data(),
                       .segments = static_cast<Index>(numbers.size()),
                       .depth = plan_.w.tiles,
                       .a_step = plan_.w.values.count * plan_.depth,
                       .b_step = plan_.products * plan_.cols,
                       .c = sums + begin * plan_.cols + col,
                       .ldc = plan_.cols,
                       .accumulate = true});
        }
      }
    });
  }

  const Plan& plan_;
  const MicroKernel& kernel_;
  Lines& lines_;
  const float* coarse_;
  const float* zeros_;
  float* sums_;          // [tap of T and H][number][channel of the source][channel written]
  float* destinations_;  // [line][tile][product][channel]
  winograd::Values backward_;
  GatherAxis t_, h_;
  std::array<MicroRows, most_lines> at_;
  std::array<const float*, most_lines> b_;
};

}  // namespace

Bytes weight_workspace(const Stream& stream, const Plan& plan) {
  const auto bytes = [](Index floats) {
    return Workspace::padded(static_cast<Bytes>(floats) * sizeof(float));
  };
  return bytes(std::max(plan.depth, plan.cols)) + bytes(stream.threads * weight_floats(plan)) +
         Workspace::padded(static_cast<Bytes>(stream.threads * tags_of(plan)) * sizeof(Index));
}

void weight_from_both(const Stream& stream, const Plan& plan, Tensor weight, Workspace workspace,
                      View fine, View coarse) {
  const Index widest = std::max(plan.depth, plan.cols);
  float* zeros = workspace.take<float>(widest);
  float* own = workspace.take<float>(stream.threads * weight_floats(plan));
  Index* tags = workspace.take<Index>(stream.threads * tags_of(plan));
  std::fill(zeros, zeros + widest, 0.0F);
  const Index height = plan.c.coarse[1];
  const Index all = plan.c.batch * plan.c.coarse[0] * height;
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      float* sums = own + part * weight_floats(plan);
      float* values = sums + sums_floats(plan);
      std::fill_n(sums, sums_floats(plan), 0.0F);
      Lines lines(plan, fine.as<float>(), zeros, values, tags + part * tags_of(plan));
      WeightSum sum(plan, lines, coarse.as<float>(), zeros, sums, values + values_floats(plan));
      const Index end = all * (part + 1) / stream.threads;
      for (Index line = all * part / stream.threads; line < end;) {
        const Index count = std::min({most_lines, end - line, height - line % height});
        sum.run(line / height / plan.c.coarse[0], line / height % plan.c.coarse[0], line % height,
                count);
        line += count;
      }
    }
  });

  const Index size = plan.depth * plan.cols;
  parallel_for(stream, size, 256, [&](Index begin, Index end) {
    for (Index tap = 0; tap < plan.c.kernel[0] * plan.c.kernel[1]; ++tap)
      for_numbers(plan.w, [&](Index number, Index, Index, const Term& term) {
        for (Index k = 0; k < plan.c.kernel[2]; ++k)
          if (const float scale = term.taps[static_cast<std::size_t>(k)]; scale != 0)
            for (Index part = 0; part < stream.threads; ++part)
              winograd::add_scaled(
                  weight.as<float>() + (tap * plan.c.kernel[2] + k) * size + begin,
                  own + part * weight_floats(plan) + (tap * plan.numbers + number) * size + begin,
                  scale, end - begin);
      });
  });
}

}  // namespace framefold::lines
