// The weights' gradient as an outer product summed over positions. One side gives a tile's rows
// (read by broadcast), the other its columns (read by vectors); each line of coarse positions is
// one segment of the micro-kernel, along which both sides walk with a fixed step. Nothing is
// copied.
//
//   for blocks of lines (both sides' operands in the second-level cache)
//     for the thread's tiles: panels of columns, taps, rows of channels
//
// Usually the fine side gives the rows. Where it has few channels, a tile's rows run across taps;
// where the coarse side has few, it gives the rows instead and each tile is added transposed.
// Threads share out the tiles, or, where there are few, the lines: then each sums into weights of
// its own, which are added up in order.
#include <algorithm>

#include "kernels/convolution_fast.h"

namespace framefold {
namespace {

constexpr Index max_segments = 64;
constexpr Index block_floats = Index{1} << 15;  // of the coarse side

struct Plan {
  bool across_taps = false;  // a tile's rows run across taps
  bool exchanged = false;    // the coarse side gives the rows
  Index tiles = 0;           // of one panel: of a tap, or of all taps where rows run across them
  Index panels = 0;
  Index items = 0;  // tiles of all panels, taps and groups
  Index parts = 1;  // of the lines

  Plan(const Stream& stream, const Convolution& c) {
    const MicroKernel& kernel = micro_kernel();
    const auto vectors = [](Index channels) { return ceil_div(channels, 16); };
    const Index rows = c.fine_group();
    const Index cols = c.coarse_group();
    exchanged = 2 * cols * vectors(rows) <= rows * vectors(cols);
    across_taps = !exchanged && 3 * rows < 2 * kernel.rows;
    tiles = ceil_div((exchanged ? cols : rows) * (across_taps ? c.taps() : 1), kernel.rows);
    panels = panel_count(exchanged ? rows : cols);
    items = c.groups * panels * (across_taps ? 1 : c.taps()) * tiles;
    if (items < 4 * stream.threads)
      parts = std::min<Index>(stream.threads, c.batch * c.coarse[0] * c.coarse[1]);
  }
};

// A line of coarse positions along W.
struct Line {
  Index t, h;          // of tap 0 on the fine side
  Index fine, coarse;  // the first position's elements on both sides, tap 0, channel 0
};

// The fine side of a tile: of all its rows where they run across taps, else of its one tap.
struct Row {
  Index t, h, w;  // relative to tap 0
  Index offset;   // elements, likewise
};

struct Span {
  Index begin, end;
};

class WeightSum {
 public:
  WeightSum(const Convolution& c, const Plan& plan, const float* fine, const float* coarse,
            const float* zeros)
      : c_(c), plan_(plan), kernel_(micro_kernel()), fine_(fine), coarse_(coarse), zeros_(zeros) {}

  // Adds items [items.begin, items.end) of lines [lines.begin, lines.end) to the weights.
  void run(float* weights, Span items, Span lines) {
    weights_ = weights;
    const Index width = std::max<Index>(1, c_.coarse[2] * c_.coarse_group());
    const Index most = std::clamp<Index>(block_floats / width, 1, max_segments);
    for (Index begin = lines.begin; begin < lines.end; begin += most) {
      line_count_ = static_cast<std::size_t>(std::min(most, lines.end - begin));
      for (std::size_t n = 0; n < line_count_; ++n) lines_[n] = line(begin + static_cast<Index>(n));
      for (Index item = items.begin; item < items.end; ++item) add(item);
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

  Row row(Index tap, Index channel) const {
    Row row{.t = tap / c_.kernel[2] / c_.kernel[1] * c_.dilation[0],
            .h = tap / c_.kernel[2] % c_.kernel[1] * c_.dilation[1],
            .w = tap % c_.kernel[2] * c_.dilation[2]};
    row.offset = ((row.t * c_.fine[1] + row.h) * c_.fine[2] + row.w) * c_.fine_channels + channel;
    return row;
  }

  // Coarse positions along W whose tap lies inside of the fine side.
  Span inside(const Row& row) const {
    const Index w = row.w - c_.padding[2];
    const Index stride = c_.stride[2];
    const Index begin = w >= 0 ? 0 : ceil_div(-w, stride);
    const Index end = w >= c_.fine[2] ? 0 : (c_.fine[2] - 1 - w) / stride + 1;
    return {begin, std::clamp(end, begin, std::max(begin, c_.coarse[2]))};
  }

  bool sees(const Line& line, const Row& row) const {
    const Index t = line.t + row.t;
    const Index h = line.h + row.h;
    return t >= 0 && t < c_.fine[0] && h >= 0 && h < c_.fine[1];
  }

  void add(Index item) {
    const Index tile = item % plan_.tiles;
    const Index taps = plan_.across_taps ? 1 : c_.taps();
    const Index tap = item / plan_.tiles % taps;
    const Index panel = item / plan_.tiles / taps % plan_.panels;
    const Index group = item / plan_.tiles / taps / plan_.panels;
    const Index all_rows = plan_.exchanged     ? c_.coarse_group()
                           : plan_.across_taps ? c_.taps() * c_.fine_group()
                                               : c_.fine_group();
    const Index all_cols = plan_.exchanged ? c_.fine_group() : c_.coarse_group();
    first_row_ = all_rows * tile / plan_.tiles;
    rows_ = all_rows * (tile + 1) / plan_.tiles - first_row_;
    first_col_ = panel * kernel_.cols;
    cols_ = std::min<Index>(kernel_.cols, all_cols - first_col_);
    group_ = group;
    tap_ = tap;
    plan_.across_taps ? add_across() : add_tap();
  }

  // Rows of one tap.
  void add_tap() {
    const Row at = row(tap_, group_ * c_.fine_group());
    const Span span = inside(at);
    if (span.begin >= span.end) return;
    const float* fine = fine_ + (at.offset + span.begin * c_.stride[2] * c_.fine_channels);
    const float* coarse = coarse_ + (span.begin * c_.coarse_channels + group_ * c_.coarse_group());
    std::array<Index, micro_rows_max> offsets;
    for (std::size_t i = 0; i < micro_rows_max; ++i)
      offsets[i] = first_row_ + static_cast<Index>(i);
    Index used = 0;
    for (std::size_t n = 0; n < line_count_; ++n) {
      if (!sees(lines_[n], at)) continue;
      const float* of_fine = fine + lines_[n].fine;
      const float* of_coarse = coarse + lines_[n].coarse;
      sources_[static_cast<std::size_t>(used)] = plan_.exchanged ? of_coarse : of_fine;
      b_[static_cast<std::size_t>(used++)] = (plan_.exchanged ? of_fine : of_coarse) + first_col_;
    }
    point_rows(a_.data(), sources_.data(), used, rows_, offsets.data());
    multiply(used, span.end - span.begin, tap_ * c_.fine_group());
  }

  // Rows across taps: positions that all of them see as lines, the others one by one.
  void add_across() {
    std::array<Row, micro_rows_max> all;
    std::array<Index, micro_rows_max> offsets{};
    Span common{0, c_.coarse[2]};
    Span any{c_.coarse[2], 0};
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows_); ++i) {
      const Index number = first_row_ + static_cast<Index>(i);
      all[i] = row(number / c_.fine_group(), number % c_.fine_group() + group_ * c_.fine_group());
      offsets[i] = all[i].offset;
      const Span span = inside(all[i]);
      common = {std::max(common.begin, span.begin), std::min(common.end, span.end)};
      if (span.begin < span.end)
        any = {std::min(any.begin, span.begin), std::max(any.end, span.end)};
    }
    const std::span<const Row> rows(all.data(), static_cast<std::size_t>(rows_));
    if (common.begin < common.end)
      add_span(rows, offsets, common);
    else
      common = {any.begin, any.begin};
    for (Index j = any.begin; j < any.end; ++j)
      if (j < common.begin || j >= common.end) add_span(rows, offsets, {j, j + 1});
  }

  void add_span(std::span<const Row> rows, const std::array<Index, micro_rows_max>& offsets,
                Span span) {
    const Index at = span.begin * c_.stride[2];
    Index used = 0;
    for (std::size_t n = 0; n < line_count_; ++n) {
      sources_[static_cast<std::size_t>(used)] = fine_ + (lines_[n].fine + at * c_.fine_channels);
      b_[static_cast<std::size_t>(used++)] =
          coarse_ + (lines_[n].coarse + span.begin * c_.coarse_channels +
                     group_ * c_.coarse_group() + first_col_);
    }
    point_rows(a_.data(), sources_.data(), used, rows_, offsets.data());
    for (std::size_t n = 0; n < line_count_; ++n)
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const Index w = at + rows[i].w - c_.padding[2];
        if (!sees(lines_[n], rows[i]) || w < 0 || w >= c_.fine[2]) a_[n * rows.size() + i] = zeros_;
      }
    multiply(used, span.end - span.begin, 0);
  }

  // Adds the tile to the weights; its tap's weights begin at row `tap_row`.
  void multiply(Index segments, Index depth, Index tap_row) {
    const Index fine_step = c_.stride[2] * c_.fine_channels;
    MicroTask task{.a = a_.data(),
                   .b = b_.data(),
                   .segments = segments,
                   .depth = depth,
                   .a_step = plan_.exchanged ? c_.coarse_channels : fine_step,
                   .b_step = plan_.exchanged ? fine_step : c_.coarse_channels,
                   .ldc = c_.coarse_channels};
    float* weights = weights_ + tap_row * c_.coarse_channels + group_ * c_.coarse_group();
    const auto rows = static_cast<int>(rows_);
    const auto cols = static_cast<int>(cols_);
    if (!plan_.exchanged) {
      task.c = weights + first_row_ * c_.coarse_channels + first_col_;
      task.accumulate = true;
      kernel_.run(rows, cols, task);
      return;
    }
    std::array<float, micro_rows_max * micro_cols_max> sums;
    task.c = sums.data();
    task.ldc = micro_cols_max;
    kernel_.run(rows, cols, task);
    for (Index n = 0; n < cols_; ++n)
      for (Index i = 0; i < rows_; ++i)
        weights[(first_col_ + n) * c_.coarse_channels + first_row_ + i] +=
            sums[static_cast<std::size_t>(i * micro_cols_max + n)];
  }

  const Convolution& c_;
  const Plan& plan_;
  const MicroKernel& kernel_;
  const float* fine_;
  const float* coarse_;
  const float* zeros_;
  float* weights_ = nullptr;
  std::size_t line_count_ = 0;
  std::array<Line, max_segments> lines_;                                             // of the block
  Index group_ = 0, tap_ = 0, first_row_ = 0, rows_ = 0, first_col_ = 0, cols_ = 0;  // of the tile
  std::array<const float*, max_segments> sources_;
  std::array<const float*, max_segments> b_;
  std::array<const float*, (max_segments + 1) * micro_rows_max> a_;
};

// What a row outside of the fine side reads over a whole line.
Index zeros_needed(const Convolution& c, const Plan& plan) {
  return plan.across_taps ? c.fine[2] * c.fine_channels : 0;
}

Index sums_needed(const Convolution& c, const Plan& plan) {
  return plan.parts > 1 ? plan.parts * c.weights() : 0;
}

}  // namespace

Bytes fast::weight_from_both_workspace(const Stream& stream, const Convolution& c, DType type) {
  if (type != DType::f32) return 0;
  const Plan plan(stream, c);
  const auto bytes = [](Index floats) {
    return Workspace::padded(static_cast<Bytes>(floats) * sizeof(float));
  };
  return bytes(zeros_needed(c, plan)) + bytes(sums_needed(c, plan));
}

bool fast::weight_from_both(const Stream& stream, const Convolution& c, Tensor weight,
                            Workspace workspace, View fine, View coarse) {
  if (!stream.wants(Path::native) || fine.dtype != DType::f32) return false;
  const Plan plan(stream, c);
  float* zeros = workspace.take<float>(zeros_needed(c, plan));
  std::fill(zeros, zeros + zeros_needed(c, plan), 0.0F);
  float* sums = workspace.take<float>(sums_needed(c, plan));
  const Index lines = c.batch * c.coarse[0] * c.coarse[1];
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    WeightSum sum(c, plan, fine.as<float>(), coarse.as<float>(), zeros);
    for (Index part = first; part < last; ++part) {
      const auto share = [&](Index count, Index parts) {
        return Span{count * part / parts, count * (part + 1) / parts};
      };
      if (plan.parts == 1) {
        sum.run(weight.as<float>(), share(plan.items, stream.threads), {0, lines});
      } else if (part < plan.parts) {
        float* own = sums + part * c.weights();
        std::fill(own, own + c.weights(), 0.0F);
        sum.run(own, {0, plan.items}, share(lines, plan.parts));
      }
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
