// Convolution as an indirect matrix product (after Dukhan 2019): a tile's rows are destinations,
// and each run of taps is one segment of the micro-kernel whose row pointers stand right in the
// channels-last source. Nothing of the source is copied but runs of few channels that cross an
// edge; taps outside of it read a row of zeros, and are left out where a whole tile sees them so.
// Those copies lie as far apart as the lines that they come from: rows at the edges then move from
// segment to segment as all others do.
//
//   for each group and phase of the stride (coarse side: one), on each thread's share of tiles:
//     for blocks of taps (their weights in the second-level cache)
//       for panels of channels and tiles of destinations, in either order: the tile
#include <algorithm>
#include <span>

#include "kernels/convolution_fast.h"
#include "kernels/convolution_lines.h"

namespace framefold {
namespace {

constexpr Index max_segments = 64;
constexpr Index block_floats = Index{1} << 16;  // 256 KiB of weights
constexpr Index patch_floats = 64;              // the longest run of taps that is copied at edges
constexpr Index patch_segments = 16;

// Destinations of a line along W whose taps cross an edge of the source: so many at its begin, and
// all, the others being at its end.
struct Edges {
  Index left = 0, all = 0;

  explicit Edges(const GatherAxis& w) {
    while (left < w.count && w.source(left, 0) < 0) ++left;
    all = left;
    while (all < w.count && w.source(w.count - 1 - (all - left), w.taps - 1) >= w.extent) ++all;
  }
};

// Whether the taps along W are one segment: neighbours in the source, and all of it inside unless
// the channels are so few that a copy at the edges costs less than short segments.
Index run_of(const Convolution& c, const GatherAxis& w, Index depth) {
  if (w.taps < 2 || w.move != 1 || c.groups > 1) return 1;
  const Index edges = Edges(w).all;
  const bool copied = w.taps * depth <= patch_floats && edges * w.taps <= w.extent;
  return edges == 0 || copied ? w.taps : 1;
}

// Some taps of one phase: where they lie relative to tap 0, and their weights.
struct Segment {
  Index t, h, w;
  Index offset;
  const float* b;
};

struct Phase {
  std::array<GatherAxis, 3> axes;
  Index run;       // taps of W in a segment
  Index w_before;  // taps of W in the phases before this one: the order in which they are packed
  Index segments;
  Index tiles;
  Index line_tiles;  // tiles of one line along W; 0: lines are so short that tiles run across them

  Index lines(Index batch) const { return batch * axes[0].count * axes[1].count; }
};

// Destinations that are neighbours on one line along W: where tap 0 of the first of them lies in
// the source, where its sum goes, and which rows of the tile they are.
struct Piece {
  Index t, h, w;
  Index source, out;
  Index first, count;
};

class Gather {
 public:
  Gather(const ConvolutionJob& job, const Phase& phase, Index group, float* copies)
      : job_(job),
        phase_(phase),
        edges_(phase.axes[2]),
        group_(group),
        copies_(copies),
        kernel_(micro_kernel()),
        row_step_(phase.axes[2].in_step * job.source_channels) {
    std::fill_n(a_.data(), micro_rows_max, job.source);  // rows past the tile's point somewhere
  }

  // The part's share of tiles of all panels: line by line where the weights are smaller than the
  // source and fit the second-level cache, else panel by panel.
  void run(Index part, Index parts) {
    const Index panels = panel_count(job_.cols);
    const Index items = phase_.tiles * panels;
    const Index begin = items * part / parts;
    const Index end = items * (part + 1) / parts;
    const Index most = phase_.run > 1 ? patch_segments : max_segments;
    const Index fit = block_floats / (phase_.run * job_.depth * kernel_.cols);
    const Index blocks =
        std::max<Index>(1, ceil_div(phase_.segments, std::clamp<Index>(fit, 1, most)));
    const Index weights = phase_.segments * phase_.run * job_.depth * job_.cols;
    const Extents& from = job_.sources();
    const bool by_lines =
        weights / blocks <= 2 * block_floats &&
        weights < job_.c.batch * from[0] * from[1] * from[2] * job_.source_channels;
    const Index unit = by_lines ? std::max<Index>(1, phase_.line_tiles) : phase_.tiles;
    for (Index block = 0; block < blocks; ++block) {
      fill_segments(phase_.segments * block / blocks, phase_.segments * (block + 1) / blocks);
      first_ = block == 0;
      last_ = block + 1 == blocks;
      for (Index item = begin; item < end;) {
        panel_ = item / unit % panels;
        const Index tile = item / (unit * panels) * unit + item % unit;
        const Index tiles = std::min(end - item, unit - item % unit);
        phase_.line_tiles > 0 ? run_lines(tile, tile + tiles) : run_pieces(tile, tile + tiles);
        item += tiles;
      }
    }
  }

 private:
  void fill_segments(Index begin, Index end) {
    const auto& [t, h, w] = phase_.axes;
    const Convolution& c = job_.c;
    const Index runs = w.taps / phase_.run;
    const Extents& extents = job_.sources();
    segment_count_ = end - begin;
    for (Index s = begin; s < end; ++s) {
      const Index mt = s / runs / h.taps;
      const Index mh = s / runs % h.taps;
      const Index mw = s % runs * phase_.run;
      Segment& segment = segments_[static_cast<std::size_t>(s - begin)];
      segment = {.t = mt * t.move, .h = mh * h.move, .w = mw * w.move};
      segment.offset =
          ((segment.t * extents[1] + segment.h) * extents[2] + segment.w) * job_.source_channels;
      const Index line = t.tap_of(mt) * c.kernel[1] + h.tap_of(mh);
      segment.b = job_.weights_at(group_, line * c.kernel[2] + phase_.w_before + mw);
      if (phase_.run > 1) std::fill_n(copies_ + segment.offset, edges_.all * run_floats(), 0.0F);
    }
  }

  Piece piece(Index line, Index w) const {
    const auto& [at, ah, aw] = phase_.axes;
    const Index jh = line % ah.count;
    const Index jt = line / ah.count % at.count;
    const Index b = line / ah.count / at.count;
    const Extents& from = job_.sources();
    const Extents& to = job_.extents();
    Piece p{.t = at.source(jt, 0), .h = ah.source(jh, 0), .w = aw.source(w, 0)};
    p.source = (((b * from[0] + p.t) * from[1] + p.h) * from[2] + p.w) * job_.source_channels +
               group_ * job_.depth;
    p.out = (((b * to[0] + at.first + at.step * jt) * to[1] + ah.first + ah.step * jh) * to[2] +
             aw.first + aw.step * w) *
                job_.channels +
            group_ * job_.cols;
    return p;
  }

  bool sees(const Piece& p, const Segment& s) const {
    const auto inside = [](Index at, const GatherAxis& axis) {
      return at >= 0 && at < axis.extent;
    };
    return inside(p.t + s.t, phase_.axes[0]) && inside(p.h + s.h, phase_.axes[1]);
  }

  // Tiles [tile, end), each on one line.
  void run_lines(Index tile, Index end) {
    const GatherAxis& w = phase_.axes[2];
    while (tile < end) {
      const Index line = tile / phase_.line_tiles;
      const Piece start = piece(line, 0);
      used_ = 0;
      for (std::size_t n = 0; n < static_cast<std::size_t>(segment_count_); ++n)
        if (sees(start, segments_[n])) use(n);
      const Index stop = std::min(end, (line + 1) * phase_.line_tiles);
      for (; tile < stop; ++tile) {
        const Index part = tile - line * phase_.line_tiles;
        const Index begin = w.count * part / phase_.line_tiles;
        const Index rows = w.count * (part + 1) / phase_.line_tiles - begin;
        const Index lowest = start.w + w.in_step * begin;
        const Index highest = lowest + w.in_step * (rows - 1);
        for (Index i = 0; i < micro_rows_max; ++i)
          a_[static_cast<std::size_t>(i)] = job_.source + (start.source + (begin + i) * row_step_);
        const bool crosses = lowest < 0 || highest + w.move * (w.taps - 1) >= w.extent;
        if (crosses && phase_.run > 1) copy_edges(start, begin, rows);
        const bool mends = crosses && phase_.run == 1;
        for (Index n = 0; mends && n < used_; ++n)
          if (!inside(lowest + used(n).w) || !inside(highest + used(n).w))
            mend(own_rows(n), rows, lowest + used(n).w);
        sum(rows, job_.out + (start.out + begin * w.step * job_.channels), w.step * job_.channels);
        for (Index n = 0; mends && n < used_; ++n) share_rows(n);
      }
    }
  }

  Index run_floats() const { return phase_.run * job_.source_channels; }

  // Those of destinations [begin, begin + rows) that lie at the line's edges read copies, between
  // the zeros that stand there.
  void copy_edges(const Piece& start, Index begin, Index rows) {
    const GatherAxis& w = phase_.axes[2];
    for (Index i = 0; i < rows; ++i) {
      const Index j = begin + i;
      if (j >= edges_.left && j < w.count - edges_.all + edges_.left) continue;
      float* copy = copies_ + (j < edges_.left ? j : j - w.count + edges_.all) * run_floats();
      const float* from = a_[static_cast<std::size_t>(i)];
      a_[static_cast<std::size_t>(i)] = copy;
      const Index at = start.w + w.in_step * j;
      const Index first = std::max<Index>(0, -at) * job_.source_channels;
      const Index last = std::min(phase_.run, w.extent - at) * job_.source_channels;
      for (Index n = 0; first < last && n < used_; ++n)
        std::copy(from + used(n).offset + first, from + used(n).offset + last,
                  copy + used(n).offset + first);
    }
  }

  // Tiles [tile, end), each across lines: their sums go through a buffer.
  void run_pieces(Index tile, Index end) {
    const Index width = phase_.axes[2].count;
    const Index positions = phase_.lines(job_.c.batch) * width;
    const Index spacing = phase_.axes[2].step * job_.channels;
    const Index col = panel_ * kernel_.cols;
    const Index cols = std::min<Index>(kernel_.cols, job_.cols - col);
    std::array<float, micro_rows_max * micro_cols_max> sums;
    for (; tile < end; ++tile) {
      const Index begin = tile * kernel_.rows;
      const Index rows = std::min<Index>(kernel_.rows, positions - begin);
      std::array<Piece, micro_rows_max> pieces;
      std::size_t count = 0;
      for (Index row = 0; row < rows; row += pieces[count++].count) {
        pieces[count] = piece((begin + row) / width, (begin + row) % width);
        pieces[count].first = row;
        pieces[count].count = std::min(width - (begin + row) % width, rows - row);
      }
      const std::span<const Piece> all(pieces.data(), count);
      for (const Piece& p : all)
        for (Index i = 0; i < p.count; ++i)
          a_[static_cast<std::size_t>(p.first + i)] = job_.source + (p.source + i * row_step_);

      used_ = 0;
      for (std::size_t n = 0; n < static_cast<std::size_t>(segment_count_); ++n) {
        const Segment& s = segments_[n];
        if (std::none_of(all.begin(), all.end(), [&](const Piece& p) { return sees(p, s); }))
          continue;
        use(n);
        const Index own = own_rows(used_ - 1);
        for (const Piece& p : all)
          if (sees(p, s))
            mend(own + p.first, p.count, p.w + s.w);
          else
            std::fill_n(a_.data() + own + p.first, p.count, job_.zeros);
      }
      const auto exchange = [&](bool load) {
        for (const Piece& p : all)
          for (Index i = 0; i < p.count; ++i) {
            float* out = job_.out + (p.out + i * spacing + col);
            float* row = sums.data() + (p.first + i) * micro_cols_max;
            load ? std::copy_n(out, cols, row) : std::copy_n(row, cols, out);
          }
      };
      if (!first_) exchange(true);
      sum(rows, sums.data() - col, micro_cols_max);
      exchange(false);
    }
  }

  void use(std::size_t number) {
    const auto n = static_cast<std::size_t>(used_++);
    numbers_[n] = number;
    at_[n] = {0, segments_[number].offset};
    b_[n] =
        segments_[number].b + panel_ * (job_.packed ? phase_.run * job_.depth : 1) * kernel_.cols;
  }
  const Segment& used(Index n) const { return segments_[numbers_[static_cast<std::size_t>(n)]]; }

  // The n-th segment in use reads the tile's rows ...
  void share_rows(Index n) { at_[static_cast<std::size_t>(n)] = {0, used(n).offset}; }

  // ... or a copy of the pointers, which begins at the result.
  Index own_rows(Index n) {
    const Index first = (n + 1) * micro_rows_max;
    at_[static_cast<std::size_t>(n)] = {first, 0};
    for (Index i = 0; i < micro_rows_max; ++i)
      a_[static_cast<std::size_t>(first + i)] = a_[static_cast<std::size_t>(i)] + used(n).offset;
    return first;
  }

  // Whether a run of taps that begins at w lies in the source.
  bool inside(Index w) const { return w >= 0 && w + phase_.run <= phase_.axes[2].extent; }

  // Rows [at, at + count) of one segment, the first of them at w: those that cross an edge of the
  // source read zeros, runs of taps a copy among zeros.
  void mend(Index at, Index count, Index w) {
    const GatherAxis& axis = phase_.axes[2];
    Index i = 0;
    for (; i < count && w + axis.in_step * i < 0; ++i) mend_row(at + i, w + axis.in_step * i);
    for (Index k = count - 1; k >= i && w + axis.in_step * k + phase_.run > axis.extent; --k)
      mend_row(at + k, w + axis.in_step * k);
  }

  void mend_row(Index at, Index w) {
    const Index channels = job_.source_channels;
    const float*& row = a_[static_cast<std::size_t>(at)];
    const Index begin = std::max<Index>(0, -w) * channels;
    const Index end = std::min(phase_.run, phase_.axes[2].extent - w) * channels;
    if (end <= begin) {
      row = job_.zeros;
      return;
    }
    float* patch = patches_.data() + (at - micro_rows_max) * patch_floats;
    std::fill_n(patch, phase_.run * channels, 0.0F);
    std::copy(row + begin, row + end, patch + begin);
    row = patch;
  }

  // The tile of `panel_` whose first sum belongs at out + panel_ * kernel_.cols.
  void sum(Index rows, float* out, Index spacing) const {
    const Index col = panel_ * kernel_.cols;
    const Index cols = std::min<Index>(kernel_.cols, job_.cols - col);
    const float* bias = first_ && job_.bias ? job_.bias + group_ * job_.cols + col : nullptr;
    kernel_.run(static_cast<int>(rows), static_cast<int>(cols),
                {.a = a_.data(),
                 .at = at_.data(),
                 .b = b_.data(),
                 .segments = used_,
                 .depth = phase_.run * job_.depth,
                 .b_step = job_.packed ? job_.width : job_.c.coarse_channels,
                 .c = out + col,
                 .ldc = spacing,
                 .bias = bias,
                 .accumulate = !first_});
    if (last_ && job_.c.activation.kind != Activation::none)
      activate_tile(job_.c.activation, out + col, spacing, rows, cols);
  }

  const ConvolutionJob& job_;
  const Phase& phase_;
  Edges edges_;
  Index group_;
  float* copies_;  // of the line's edges: those of a segment at its offset
  const MicroKernel& kernel_;
  Index row_step_;
  std::array<Segment, max_segments> segments_;  // of the block
  Index segment_count_ = 0;
  bool first_ = true;  // block
  bool last_ = true;
  Index panel_ = 0;

  // Of the tile: the segments that it sees.
  Index used_ = 0;
  std::array<std::size_t, max_segments> numbers_;
  std::array<MicroRows, max_segments> at_;
  std::array<const float*, max_segments> b_;
  std::array<const float*, (max_segments + 1) * micro_rows_max> a_;
  std::array<float, patch_segments * micro_rows_max * patch_floats> patches_;
};

// Calls body(phase) for every phase of the stride.
template <class Body>
void for_phases(const ConvolutionJob& job, Body&& body) {
  for (Index t = 0; t < job.phases(0); ++t)
    for (Index h = 0; h < job.phases(1); ++h) {
      Index w_before = 0;
      for (Index w = 0; w < job.phases(2); ++w) {
        Phase phase{.axes = {job.axis(0, t), job.axis(1, h), job.axis(2, w)}, .w_before = w_before};
        const auto& [at, ah, aw] = phase.axes;
        phase.run = run_of(job.c, aw, job.depth);
        phase.segments = at.taps * ah.taps * (aw.taps / phase.run);
        const Index rows = micro_kernel().rows;
        const Index lines = phase.lines(job.c.batch);
        phase.line_tiles = 3 * aw.count >= rows ? ceil_div(aw.count, rows) : 0;
        phase.tiles =
            phase.line_tiles > 0 ? lines * phase.line_tiles : ceil_div(lines * aw.count, rows);
        if (phase.tiles > 0) body(phase);
        w_before += aw.taps;
      }
    }
}

// A panel that is not as wide as the micro-kernel's.
void pack_narrow(float* to, const float* tap, Index row, const ConvolutionJob& job) {
  for (Index d = 0; d < job.depth; ++d, to += job.width) {
    for (Index n = 0; n < job.cols; ++n) to[n] = job.to_fine ? tap[n * row + d] : tap[d * row + n];
    std::fill(to + job.cols, to + job.width, 0.0F);
  }
}

// Weights in panels: for each group and run of taps [panel][tap of the run, channel][column], runs
// in the order in which the phases read them.
void pack(const Stream& stream, const ConvolutionJob& job, float* packed) {
  const Convolution& c = job.c;
  const Index width = job.width;
  const Index lines = c.kernel[0] * c.kernel[1];
  parallel_for(stream, c.groups * lines, 1, [&](Index first, Index last) {
    for (Index at = first; at < last; ++at) {
      float* to = packed + at * c.kernel[2] * job.packed_size();
      const float* from =
          job.weight + at % lines * c.kernel[2] * c.fine_group() * c.coarse_channels;
      for (Index phase = 0; phase < job.phases(2); ++phase) {
        const GatherAxis w = job.axis(2, phase);
        const Index run = run_of(c, w, job.depth);
        for (Index m = 0; m < w.taps; m += run)
          for (Index col = 0; col < job.cols; col += width)
            for (Index r = 0; r < run; ++r, to += job.depth * width) {
              const float* tap = from + w.tap_of(m + r) * c.fine_group() * c.coarse_channels;
              tap += at / lines * c.coarse_group() + (job.to_fine ? col * c.coarse_channels : col);
              const Index cols = std::min(width, job.cols - col);
              if (width == micro_kernel().cols)
                pack_panels(to, tap, c.coarse_channels, job.to_fine, job.depth, cols, 0, 1);
              else
                pack_narrow(to, tap, c.coarse_channels, job);
            }
      }
    }
  });
}

// A thread's copies at edges: as far as taps reach along T and H, in whole cache lines.
Index copies_needed(const ConvolutionJob& job) {
  const Convolution& c = job.c;
  bool runs = false;
  for (Index phase = 0; phase < job.phases(2); ++phase)
    runs |= run_of(c, job.axis(2, phase), job.depth) > 1;
  const Extents& from = job.sources();
  const Index lines =
      (c.kernel[0] - 1) * c.dilation[0] * from[1] + (c.kernel[1] - 1) * c.dilation[1];
  return runs ? ceil_div((lines + 1) * from[2] * job.source_channels, 16) * 16 : 0;
}

void gather(const Stream& stream, const ConvolutionJob& job, float* copies) {
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part)
      for (Index group = 0; group < job.c.groups; ++group)
        for_phases(job, [&](const Phase& phase) {
          Gather(job, phase, group, copies + part * copies_needed(job)).run(part, stream.threads);
        });
  });
}

Index zeros_needed(const ConvolutionJob& job) { return job.depth * job.c.kernel[2]; }
Index packed_needed(const ConvolutionJob& job) {
  return job.packed ? job.c.groups * job.c.taps() * job.packed_size() : 0;
}

Bytes workspace_of(const Stream& stream, const Convolution& c, bool to_fine, DType type) {
  if (type != DType::f32) return 0;
  if (const lines::Plan plan(c, winograd::pass_to(to_fine)); plan.worth)
    return lines::sum_workspace(stream, plan);
  if (const winograd::Plan plan(c, winograd::pass_to(to_fine)); plan.worth)
    return winograd::sum_workspace(stream, plan);
  const ConvolutionJob job = job_of(c, to_fine, nullptr, nullptr, nullptr, nullptr);
  const auto bytes = [](Index floats) {
    return Workspace::padded(static_cast<Bytes>(floats) * sizeof(float));
  };
  return spreads(job) ? bytes(spread_workspace(stream, job))
                      : bytes(zeros_needed(job)) + bytes(packed_needed(job)) +
                            bytes(stream.threads * copies_needed(job));
}

bool run(const Stream& stream, const Convolution& c, bool to_fine, Tensor out, Workspace workspace,
         View source, View weight, View bias) {
  if (!stream.wants(Path::native) || out.dtype != DType::f32) return false;
  if (const lines::Plan plan(c, winograd::pass_to(to_fine)); plan.worth) {
    lines::sum(stream, plan, out, workspace, source, weight, bias);
    return true;
  }
  if (const winograd::Plan plan(c, winograd::pass_to(to_fine)); plan.worth) {
    winograd::sum(stream, plan, out, workspace, source, weight, bias);
    return true;
  }
  ConvolutionJob job = job_of(c, to_fine, out.as<float>(), source.as<float>(), weight.as<float>(),
                              bias ? bias.as<float>() : nullptr);
  if (spreads(job)) {
    spread(stream, job, workspace.take<float>(spread_workspace(stream, job)));
    return true;
  }
  float* zeros = workspace.take<float>(zeros_needed(job));
  std::fill(zeros, zeros + zeros_needed(job), 0.0F);
  job.zeros = zeros;
  if (job.packed) {
    float* packed = workspace.take<float>(packed_needed(job));
    pack(stream, job, packed);
    job.weight = packed;
  }
  gather(stream, job, workspace.take<float>(stream.threads * copies_needed(job)));
  return true;
}

}  // namespace

bool fast::coarse_from_fine(const Stream& stream, const Convolution& c, Tensor coarse,
                            Workspace workspace, View fine, View weight, View bias) {
  return run(stream, c, false, coarse, workspace, fine, weight, bias);
}

bool fast::fine_from_coarse(const Stream& stream, const Convolution& c, Tensor fine,
                            Workspace workspace, View coarse, View weight, View bias) {
  return run(stream, c, true, fine, workspace, coarse, weight, bias);
}

Bytes fast::coarse_from_fine_workspace(const Stream& stream, const Convolution& c, DType type) {
  return workspace_of(stream, c, false, type);
}

Bytes fast::fine_from_coarse_workspace(const Stream& stream, const Convolution& c, DType type) {
  return workspace_of(stream, c, true, type);
}

}  // namespace framefold
