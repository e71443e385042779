// The weights' gradient as an outer product summed over positions. One side gives a tile's rows
// (read by broadcast), the other its columns (read by vectors); each line of coarse positions is
// one segment of the micro-kernel, along which both sides walk with a fixed step. Nothing is
// copied.
//
//   for blocks of lines (both sides' operands in the second-level cache)
//     for the thread's tiles: taps, panels of columns, rows of channels
//
// Usually the fine side gives the rows. Where it has few channels, a tile's rows run across the
// taps along W; where the coarse side has few, it gives the rows instead and each tile is added
// transposed. Threads take tiles in turn or, where that would leave one idle, share out the lines:
// then each sums into weights of its own, which are added up in order.
#include <algorithm>

#include "kernels/convolution_fast.h"
#include "kernels/convolution_lines.h"

namespace framefold {
namespace {

constexpr Index max_segments = 64;
constexpr Index block_floats = Index{1} << 16;  // of the coarse side
constexpr Index adding = 64;  // positions that cost as much as adding up one thread's weights

struct Plan {
  bool exchanged = false;  // the coarse side gives the rows
  Index run = 1;           // taps of W that a tile's rows run across
  Index rows = 0, cols = 0;
  Index tiles = 0;  // of one run of taps and panel
  Index panels = 0;
  Index items = 0;  // tiles of all groups, runs of taps and panels
  Index parts = 1;  // of the lines

  Plan(const Stream& stream, const Convolution& c) {
    const MicroKernel& kernel = micro_kernel();
    const auto vectors = [](Index channels) { return ceil_div(channels, 16); };
    rows = c.fine_group();
    cols = c.coarse_group();
    exchanged = 2 * cols * vectors(rows) <= rows * vectors(cols);
    if (exchanged) std::swap(rows, cols);
    if (!exchanged && 3 * rows < 2 * kernel.rows) run = c.kernel[2];
    rows *= run;
    tiles = ceil_div(rows, kernel.rows);
    panels = panel_count(cols);
    items = c.groups * c.taps() / run * panels * tiles;
    const Index idle = ceil_div(items, stream.threads) * stream.threads - items;
    if (idle * c.coarse_positions() > items * stream.threads * adding)
      parts = std::min<Index>(stream.threads, c.batch * c.coarse[0] * c.coarse[1]);
  }
};

// A line of coarse positions along W.
struct Line {
  Index t, h;          // of tap 0 on the fine side
  Index fine, coarse;  // the first position's elements on both sides, tap 0, channel 0
};

struct Span {
  Index begin, end;
};

class WeightSum {
 public:
  WeightSum(const Convolution& c, const Plan& plan, const float* fine, const float* coarse)
      : c_(c), plan_(plan), kernel_(micro_kernel()), fine_(fine), coarse_(coarse) {}

  // Adds every step-th item from the first on, of lines [lines.begin, lines.end), to the weights.
  void run(float* weights, Index first, Index step, Span lines) {
    weights_ = weights;
    const Index width = std::max<Index>(1, c_.coarse[2] * c_.coarse_group());
    const Index most = std::clamp<Index>(block_floats / width, 1, max_segments);
    for (Index begin = lines.begin; begin < lines.end; begin += most) {
      line_count_ = static_cast<std::size_t>(std::min(most, lines.end - begin));
      for (std::size_t n = 0; n < line_count_; ++n) lines_[n] = line(begin + static_cast<Index>(n));
      for (Index item = first; item < plan_.items; item += step) add(item);
    }
  }

 private:
  Line line(Index n) const {
    const Index jh = n % c_.coarse[1];
    const Index jt = n / c_.coarse[1] % c_.coarse[0];
    const Index b = n / c_.coarse[1] / c_.coarse[0];
    Line line{.t = jt * c_.stride[0] - c_.padding[0],
              .h = jh * c_.stride[1] - c_.padding[1],
              .coarse = n * c_.coarse[2] * c_.coarse_channels};
    line.fine = (((b * c_.fine[0] + line.t) * c_.fine[1] + line.h) * c_.fine[2] - c_.padding[2]) *
                c_.fine_channels;
    return line;
  }

  // Coarse positions along W whose tap k lies inside of the fine side.
  Span inside(Index k) const {
    const Index w = k * c_.dilation[2] - c_.padding[2];
    const Index stride = c_.stride[2];
    const Index begin = w >= 0 ? 0 : ceil_div(-w, stride);
    const Index end = w >= c_.fine[2] ? 0 : (c_.fine[2] - 1 - w) / stride + 1;
    return {begin, std::clamp(end, begin, std::max(begin, c_.coarse[2]))};
  }

  void add(Index item) {
    const Index tile = item % plan_.tiles;
    const Index runs = c_.taps() / plan_.run;
    panel_ = item / plan_.tiles % plan_.panels;
    tap_ = item / plan_.tiles / plan_.panels % runs * plan_.run;
    group_ = item / plan_.tiles / plan_.panels / runs;
    const Span rows{plan_.rows * tile / plan_.tiles, plan_.rows * (tile + 1) / plan_.tiles};

    // Positions that all rows see; then the others, whose rows are those of neighbouring taps.
    const Index k = tap_ % c_.kernel[2];
    const Span first = inside(k + tap_of(rows.begin));
    const Span last = inside(k + tap_of(rows.end - 1));
    const Span all{std::min(first.begin, last.begin), std::max(first.end, last.end)};
    Span common{std::max(first.begin, last.begin), std::min(first.end, last.end)};
    if (common.begin >= common.end) common = {all.begin, all.begin};
    multiply(rows, common);
    for (Index j = all.begin; j < all.end; ++j) {
      if (j >= common.begin && j < common.end) continue;
      Span seen = rows;
      const auto sees = [&](Index row) {
        const Span span = inside(k + tap_of(row));
        return j >= span.begin && j < span.end;
      };
      while (seen.begin < seen.end && !sees(seen.begin)) ++seen.begin;
      while (seen.begin < seen.end && !sees(seen.end - 1)) --seen.end;
      multiply(seen, {j, j + 1});
    }
  }

  // The tap of the run that a row belongs to.
  Index tap_of(Index row) const { return plan_.run > 1 ? row / c_.fine_group() : 0; }

  // Adds to `rows` of the tile's weights what the positions of `span` give.
  void multiply(Span rows, Span span) {
    if (rows.begin >= rows.end || span.begin >= span.end) return;
    const Index fine_step = c_.stride[2] * c_.fine_channels;
    const float* fine = fine_ + (offset(tap_) + group_ * c_.fine_group() + span.begin * fine_step);
    const float* coarse = coarse_ + (group_ * c_.coarse_group() + span.begin * c_.coarse_channels);
    const Index col = panel_ * kernel_.cols;
    const Index segments = aim((plan_.exchanged ? fine : coarse) + col);
    std::array<const float*, micro_rows_max> a;
    for (Index row = rows.begin; row < rows.end; ++row)
      a[static_cast<std::size_t>(row - rows.begin)] =
          plan_.exchanged ? coarse + row
                          : fine + (tap_of(row) * c_.dilation[2] * c_.fine_channels + row -
                                    tap_of(row) * c_.fine_group());
    MicroTask task{.a = a.data(),
                   .at = at_.data(),
                   .b = b_.data(),
                   .segments = segments,
                   .depth = span.end - span.begin,
                   .a_step = plan_.exchanged ? c_.coarse_channels : fine_step,
                   .b_step = plan_.exchanged ? fine_step : c_.coarse_channels,
                   .ldc = c_.coarse_channels};
    float* weights =
        weights_ + tap_ * c_.fine_group() * c_.coarse_channels + group_ * c_.coarse_group();
    const auto count = static_cast<int>(rows.end - rows.begin);
    const auto cols = static_cast<int>(std::min<Index>(kernel_.cols, plan_.cols - col));
    if (!plan_.exchanged) {
      task.c = weights + rows.begin * c_.coarse_channels + col;
      task.accumulate = true;
      kernel_.run(count, cols, task);
      return;
    }
    std::array<float, micro_rows_max * micro_cols_max> sums;
    task.c = sums.data();
    task.ldc = micro_cols_max;
    kernel_.run(count, cols, task);
    for (Index n = 0; n < cols; ++n)
      for (Index i = 0; i < count; ++i)
        weights[(col + n) * c_.coarse_channels + rows.begin + i] +=
            sums[static_cast<std::size_t>(i * micro_cols_max + n)];
  }

  // Elements from tap 0 of a position on the fine side to another.
  Index offset(Index tap) const {
    const Index t = tap / c_.kernel[2] / c_.kernel[1] * c_.dilation[0];
    const Index h = tap / c_.kernel[2] % c_.kernel[1] * c_.dilation[1];
    const Index w = tap % c_.kernel[2] * c_.dilation[2];
    return ((t * c_.fine[1] + h) * c_.fine[2] + w) * c_.fine_channels;
  }

  // The block's lines on which the tap lies inside as segments; `b` are the columns on line 0.
  // Returns their number. Tiles that differ in rows alone have the same.
  Index aim(const float* b) {
    const Index t = tap_ / c_.kernel[2] / c_.kernel[1] * c_.dilation[0];
    const Index h = tap_ / c_.kernel[2] % c_.kernel[1] * c_.dilation[1];
    std::size_t used = 0;
    for (std::size_t n = 0; n < line_count_; ++n) {
      const Line& line = lines_[n];
      if (line.t + t < 0 || line.t + t >= c_.fine[0]) continue;
      if (line.h + h < 0 || line.h + h >= c_.fine[1]) continue;
      at_[used] = {0, plan_.exchanged ? line.coarse : line.fine};
      b_[used++] = b + (plan_.exchanged ? line.fine : line.coarse);
    }
    return static_cast<Index>(used);
  }

  const Convolution& c_;
  const Plan& plan_;
  const MicroKernel& kernel_;
  const float* fine_;
  const float* coarse_;
  float* weights_ = nullptr;
  std::size_t line_count_ = 0;
  std::array<Line, max_segments> lines_;   // of the block
  Index group_ = 0, tap_ = 0, panel_ = 0;  // of the tile; the first tap of its run
  std::array<MicroRows, max_segments> at_;
  std::array<const float*, max_segments> b_;
};

Index sums_needed(const Convolution& c, const Plan& plan) {
  return plan.parts > 1 ? plan.parts * c.weights() : 0;
}

}  // namespace

Bytes fast::weight_from_both_workspace(const Stream& stream, const Convolution& c, DType type) {
  if (type != DType::f32) return 0;
  if (const lines::Plan fewer(c, winograd::Pass::weight); fewer.worth)
    return lines::weight_workspace(stream, fewer);
  if (const winograd::Plan fewer(c, winograd::Pass::weight); fewer.worth)
    return winograd::weight_workspace(fewer);
  const Plan plan(stream, c);
  return Workspace::padded(static_cast<Bytes>(sums_needed(c, plan)) * sizeof(float));
}

bool fast::weight_from_both(const Stream& stream, const Convolution& c, Tensor weight,
                            Workspace workspace, View fine, View coarse) {
  if (!stream.wants(Path::native) || fine.dtype != DType::f32) return false;
  if (const lines::Plan fewer(c, winograd::Pass::weight); fewer.worth) {
    lines::weight_from_both(stream, fewer, weight, workspace, fine, coarse);
    return true;
  }
  if (const winograd::Plan fewer(c, winograd::Pass::weight); fewer.worth) {
    winograd::weight_from_both(stream, fewer, weight, workspace, fine, coarse);
    return true;
  }
  const Plan plan(stream, c);
  float* sums = workspace.take<float>(sums_needed(c, plan));
  const Index lines = c.batch * c.coarse[0] * c.coarse[1];
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    WeightSum sum(c, plan, fine.as<float>(), coarse.as<float>());
    for (Index part = first; part < last; ++part)
      if (plan.parts == 1) {
        sum.run(weight.as<float>(), part, stream.threads, {0, lines});
      } else if (part < plan.parts) {
        float* own = sums + part * c.weights();
        std::fill(own, own + c.weights(), 0.0F);
        sum.run(own, 0, 1, {lines * part / plan.parts, lines * (part + 1) / plan.parts});
      }
  });
  if (plan.parts == 1) return true;
  parallel_for(stream, c.weights(), 16384, [&](Index begin, Index end) {
    for (Index part = 0; part < plan.parts; ++part)
      for (Index i = begin; i < end; ++i) weight.as<float>()[i] += sums[part * c.weights() + i];
  });
  return true;
}

}  // namespace framefold
